#!/bin/sh
# Compiles the kernels for AArch64 and, where qemu-user is installed, runs their tests there.
#   Debian: apt-get install g++-aarch64-linux-gnu qemu-user-static
#   CXX and EMULATOR override the compiler and the emulator.
set -eu
cd "$(dirname "$0")/.."

cxx=${CXX:-aarch64-linux-gnu-g++}
flags='-std=c++20 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror'
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

if ! command -v "$cxx" >/dev/null; then
  echo "$cxx not found; install g++-aarch64-linux-gnu or set CXX" >&2
  exit 1
fi

for file in native/base/cpu_features.cc native/kernels/table.cc native/kernels/isa/*.cc; do
  "$cxx" $flags -c "$file" -o "$build/$(basename "$file" .cc).o"
  echo "ok   $file"
done
for file in kernels gemm conv conv_weight math elementwise reduce random optim; do
  "$cxx" -std=c++20 -O1 -ffp-contract=off -Wall -Wextra -Werror -c "test/native/${file}_test.cc" -o "$build/${file}_test.o"
done
"$cxx" -static "$build"/*.o -o "$build/kernels_test"

emulator=${EMULATOR:-qemu-aarch64-static}
if [ "$(uname -m)" = aarch64 ]; then
  "$build/kernels_test"
elif command -v "$emulator" >/dev/null; then
  "$emulator" "$build/kernels_test"
else
  echo "compiled; not run: $emulator not found"
fi
