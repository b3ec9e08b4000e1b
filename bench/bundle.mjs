// node bundle.mjs SOURCE TARGET: a module with all that it imports, as one file.
import { createRequire } from 'node:module';

// The front end's own bundler, so that what is measured is built as it is shipped.
const { build } = createRequire(new URL('../static/package.json', import.meta.url))('esbuild');
const [source, target] = process.argv.slice(2);
/** What a module of the app only fetches when it is needed is not part of it. */
const apart = {
  name: 'apart',
  setup: ({ onResolve }) =>
    onResolve({ filter: /./ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    ),
};
const ofTheApp = source.includes('/static/');
await build({
  entryPoints: [source],
  outfile: target,
  bundle: true,
  minify: true,
  plugins: ofTheApp ? [apart] : [],
  format: ofTheApp || source.endsWith('/offline.js') ? 'esm' : 'iife',
  target: ['chrome109', 'firefox115', 'safari16.4'],
  legalComments: 'none',
  logLevel: 'warning',
});
