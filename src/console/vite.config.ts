/**
 * How Vite builds the console. `build.ts` runs it; page authors run `npx vite --config src/console/vite.config.ts`
 * beside `npm start` for a server that reloads what changes, at http://localhost:5173/console/.
 */
import path from 'node:path'
import react from '@vitejs/plugin-react'
import type { UserConfig } from 'vite'
import { mantineStyles } from './mantine-styles.ts'

const gateway = process.env.GATEWAY ?? 'http://localhost:4000'

const config: UserConfig = {
  root: import.meta.dirname,
  base: '/console/',
  plugins: [react(), mantineStyles()],
  build: {
    outDir: path.join(import.meta.dirname, '../../dist/console'),
    emptyOutDir: true,
    // What the first page loads is counted with it, in test/console/size.test.ts.
    manifest: true,
    sourcemap: false,
    // Every browser that runs what Vite targets preloads modules by itself.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1000,
  },
  server: {
    proxy: Object.fromEntries(
      ['/graphql', '/v1', '/oauth', '/docs', '/openapi.json', '/openapi.yaml'].map((at) => [
        at,
        { target: gateway, ws: at === '/graphql' },
      ]),
    ),
  },
}
export default config
