// The manifest that is published: what a user of the package needs, and nothing that npm could run.

/** @param {Record<string, unknown>} manifest the checkout's package.json */
export function publishedManifest(manifest) {
  // gypfile: without a root binding.gyp there is nothing to switch off.
  const { scripts: _, devDependencies: __, gypfile: ___, ...rest } = manifest;
  return { ...rest, files: ['dist', 'prebuilds', 'native'] };
}
