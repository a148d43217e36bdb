import { defineConfig } from 'vitest/config';

// What is built is committed and compared in `cargo xtask test`, so it must come out the same everywhere: names are
// hashes of contents, and nothing of the machine or the day goes in.
export default defineConfig({
  base: '/',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact', legalComments: 'none' },
  build: {
    target: ['chrome111', 'firefox114', 'safari16.4'],
    // Inlined assets would be `data:` URIs, which the content security policy need not allow then.
    assetsInlineLimit: 0,
    modulePreload: false,
    reportCompressedSize: false,
    sourcemap: false,
    rollupOptions: { output: { hashCharacters: 'hex' } },
  },
  worker: { format: 'es', rollupOptions: { output: { hashCharacters: 'hex' } } },
  server: {
    // `npm run dev` beside a running gateway: PASSERELLE=https://localhost:8443 npm run dev
    proxy: { '/api': { target: process.env['PASSERELLE'] ?? 'https://localhost:8443', secure: false } },
  },
  test: { include: ['test/**/*.test.ts'], setupFiles: ['test/setup.ts'] },
});
