// Builds static/dist, the folder that the server hands out under /static/:
//
//   <name>-<hash>.js|css   js/start.js, every js/pages/*.js, and every css file that no other imports
//   chunks/                js/app.js with all that it imports, as one file; what is loaded later
//   icons/                 as they are; their names stand in the web app manifest
//   service-worker.js      the listeners with their work bundled in, and the list to precache
//   manifest.json          {build, files: [{path, bytes, gzip, sha256}], entries: {source: {file, preload}}}
//
// Next to each text file lie its .gz and .br, so that the server never compresses. The folder is made
// beside the old one and put in its place at the end: a running server never sees half a build.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const dist = join(here, 'dist');
const fresh = `${dist}.new`;
const old = `${dist}.old`;

// The oldest browsers that have what the phone's modules need (Safari 16.4: push in installed apps).
const target = ['chrome109', 'firefox115', 'safari16.4'];
const worthCompressing = /\.(js|css|svg|json|webmanifest|txt)$/;

const squeeze = {
  gz: (bytes) => promisify(gzip)(bytes, { level: 9 }),
  br: (bytes) =>
    promisify(brotliCompress)(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 11,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    }),
};

/** Every file below a folder, sorted; none when it is not there. */
async function below(folder) {
  if (!existsSync(folder)) return [];
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
}

/** The build's name: it changes with any file that a phone may hold a copy of. */
async function nameOfBuild() {
  const sources = [
    ...(await below(join(here, 'js'))),
    ...(await below(join(here, 'css'))),
    ...(await below(join(here, 'icons'))),
    ...(await below(join(root, 'templates'))),
    join(root, 'service-worker.js'),
    join(here, 'package-lock.json'),
    fileURLToPath(import.meta.url),
  ];
  const hash = createHash('sha256');
  for (const path of sources) hash.update(relative(root, path)).update(await readFile(path));
  return hash.digest('hex').slice(0, 16);
}

/** The css files that stand on their own: no other imports them. */
async function styleEntries() {
  const files = (await below(join(here, 'css'))).filter((path) => path.endsWith('.css'));
  const imported = new Set();
  for (const path of files) {
    for (const [, name] of (await readFile(path, 'utf8')).matchAll(/@import\s+(?:url\()?['"](.+?)['"]/g)) {
      imported.add(resolve(dirname(path), name));
    }
  }
  return files.filter((path) => !imported.has(path));
}

const APP = join(here, 'js', 'app.js');
const START = join(here, 'js', 'start.js');

async function pageEntries() {
  return (await below(join(here, 'js', 'pages'))).filter((path) => path.endsWith('.js'));
}

/** What is loaded later: every module that some other one imports by `import('…')`; words import nothing. */
async function lateEntries() {
  const found = new Set();
  for (const path of await below(join(here, 'js'))) {
    if (!path.endsWith('.js') || path.includes(`${sep}i18n${sep}`)) continue;
    for (const [, name] of (await readFile(path, 'utf8')).matchAll(/[^{]import\('(\.[^']+)'\)(?!\.)/g)) {
      const target = resolve(dirname(path), name);
      if (!target.includes(`${sep}i18n${sep}`)) found.add(target);
    }
  }
  return found;
}

/**
 * The bundler puts what entries share in pieces of their own, one for each combination of them. Here each late
 * module says that it needs the whole app, which is true: it is there already. So the app stays one file.
 */
const late = await lateEntries();
const wholeApp = {
  name: 'whole app',
  setup({ onLoad }) {
    onLoad({ filter: /\.js$/, namespace: 'file' }, async ({ path }) => {
      if (!late.has(path)) return undefined;
      const contents = await readFile(path, 'utf8');
      // Behind the module's own text, so that places in it stay what they are.
      return { contents: `${contents}\nimport ${JSON.stringify(APP)};\n`, loader: 'js' };
    });
  },
};

const buildId = await nameOfBuild();
const common = {
  absWorkingDir: here,
  bundle: true,
  write: false,
  minify: true,
  target,
  legalComments: 'external',
  logLevel: 'warning',
  metafile: true,
};

const modules = {
  ...common,
  entryNames: '[name]-[hash]',
  chunkNames: 'chunks/[name]-[hash]',
  assetNames: 'assets/[name]-[hash]',
  loader: { '.svg': 'file', '.woff2': 'file' },
  format: 'esm',
  splitting: true,
  outdir: dist,
  define: { __BUILD__: JSON.stringify(buildId) },
};
// Pages of their own are built apart, so that the app is not cut into what it shares with them.
const parts = [
  await build({ ...modules, entryPoints: [APP, ...(await styleEntries())], plugins: [wholeApp] }),
  await build({ ...modules, entryPoints: [START, ...(await pageEntries())], splitting: false }),
];
const outputs = Object.assign({}, ...parts.map((part) => part.metafile.outputs));

/** Most templates with line breaks are HTML, where an indent says nothing; an empty line in a text does. */
const unindented = (file) =>
  file.path.endsWith('.js') ? Buffer.from(file.text.replace(/\n[ \t]+/g, '\n')) : file.contents;

/** @type {Map<string, Uint8Array>} path in dist → contents */
const files = new Map(
  parts.flatMap((part) => part.outputFiles).map((file) => [relative(dist, file.path), unindented(file)]),
);
for (const path of await below(join(here, 'icons'))) {
  files.set(`icons/${relative(join(here, 'icons'), path)}`, await readFile(path));
}

/** @type {Record<string, {file: string, preload: string[]}>} */
const entries = {};
for (const [path, output] of Object.entries(outputs)) {
  if (!output.entryPoint) continue;
  const preload = neededAtOnce(path);
  const file = relative('dist', path);
  if (resolve(here, output.entryPoint) === APP && preload.length === 1) {
    // Only a line that imports the app's one file.
    entries[output.entryPoint] = { file: preload[0], preload: [] };
    files.delete(file);
  } else entries[output.entryPoint] = { file, preload };
}
// A late module runs when the app does already.
const whole = entries['js/app.js'].file;
for (const entry of Object.values(entries)) entry.preload = entry.preload.filter((path) => path !== whole);

/** What an entry imports outright, with what that imports: the browser may fetch it all at once. */
function neededAtOnce(entry) {
  const found = new Set();
  const visit = (path) => {
    for (const { path: next, kind } of outputs[path]?.imports ?? []) {
      if (kind !== 'import-statement' || found.has(next)) continue;
      found.add(next);
      visit(next);
    }
  };
  visit(entry);
  return [...found].map((path) => relative('dist', path));
}

// The phone keeps the app: all scripts and styles, also those loaded later, so that it is whole without
// a network. Pages of their own (js/pages: signing in, the resident's form) are never needed offline.
const notOffline = new Set(
  Object.entries(entries)
    .filter(([source]) => source.startsWith('js/pages/'))
    .map(([, { file }]) => file),
);
const precache = [...files.keys()]
  .filter((path) => !notOffline.has(path) && !path.endsWith('.LEGAL.txt'))
  .sort()
  .map((path) => `/static/${path}`);

const worker = await build({
  ...common,
  entryPoints: [join(root, 'service-worker.js')],
  outfile: join(dist, 'service-worker.js'),
  format: 'iife',
  define: { __BUILD__: JSON.stringify(buildId), __PRECACHE__: JSON.stringify(precache) },
});
for (const file of worker.outputFiles) files.set(basename(file.path), file.contents);

const listed = [];
await rm(fresh, { recursive: true, force: true });
for (const [path, contents] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const to = join(fresh, path);
  await mkdir(dirname(to), { recursive: true });
  await writeFile(to, contents);
  const entry = {
    path,
    bytes: contents.length,
    gzip: contents.length,
    sha256: createHash('sha256').update(contents).digest('hex'),
  };
  if (worthCompressing.test(path)) {
    for (const [ending, compress] of Object.entries(squeeze)) {
      const small = await compress(contents);
      await writeFile(`${to}.${ending}`, small);
      if (ending === 'gz') entry.gzip = small.length;
    }
  }
  listed.push(entry);
}
const manifest = { build: buildId, files: listed, entries };
await writeFile(join(fresh, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);

await rm(old, { recursive: true, force: true });
if (existsSync(dist)) await rename(dist, old);
await rename(fresh, dist);
await rm(old, { recursive: true, force: true });

// The first load: the app with what it imports outright, its style, and the larger language; what
// later views say (`nl-more.js`) is fetched after the first paint.
const app = entries['js/app.js'];
const sizes = new Map(listed.map(({ path, gzip: size }) => [path, size]));
const sizeOf = (/** @type {string} */ path) => sizes.get(path) ?? 0;
const languages = Object.entries(entries).filter(([source]) => /^js\/i18n\/[a-z]+\.js$/.test(source));
const first = [entries['js/start.js'].file, app.file, ...app.preload, entries['css/app.css'].file].map(sizeOf);
first.push(Math.max(0, ...languages.map(([, { file }]) => sizeOf(file))));
const firstBytes = first.reduce((sum, size) => sum + size, 0);
console.log(`build ${buildId}: ${listed.length} files; first load ${firstBytes} bytes (gzip)`);
