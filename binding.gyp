{
  "target_defaults": {
    "default_configuration": "Release"
  },
  "targets": [
    {
      "target_name": "neurite",
      "sources": ["<!@(node -p \"Object.values(require('./native/sources.json')).flat().join(' ')\")"],
      "include_dirs": ["<!(node -p \"require('node-api-headers').include_dir\")"],
      "defines": ["NAPI_VERSION=8", "NEURITE_VERSION=\"<!(node -p \"require('./package.json').version\")\""],
      "cflags!": ["-fno-exceptions", "-fno-omit-frame-pointer"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++14", "-std=gnu++17", "-std=gnu++20", "-std=gnu++23"],
      "cflags_cc": ["<!@(node -p \"require('./native/flags.json').compile.join(' ')\")"],
      "configurations": {
        "Release": {
          "cflags!": ["-O2"],
          "cflags_cc": ["<!@(node -p \"require('./native/flags.json').optimize.join(' ')\")"],
          "ldflags": ["-s"]
        }
      },
      "conditions": [
        ["OS=='linux'", {
          "ldflags": [
            "-static-libstdc++", "-static-libgcc", "-Wl,--exclude-libs,ALL",
            "-Wl,--version-script=<(module_root_dir)/native/exports.map"
          ]
        }],
        ["OS=='mac'", {
          "xcode_settings": {
            "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
            "GCC_ENABLE_CPP_RTTI": "YES",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "GCC_OPTIMIZATION_LEVEL": "3",
            "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
            "CLANG_CXX_LIBRARY": "libc++",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "OTHER_CPLUSPLUSFLAGS": ["<!@(node -p \"require('./native/flags.json').compile.join(' ')\")"]
          }
        }],
        ["OS=='win'", {
          "msvs_settings": {
            "VCCLCompilerTool": { "ExceptionHandling": 1, "AdditionalOptions": ["/std:c++20", "/fp:precise"] }
          }
        }]
      ]
    }
  ]
}
