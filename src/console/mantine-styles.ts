/**
 * Mantine's styles, of the components that are used alone, in the chunks that use them: 37 KB of zipped CSS on the first
 * page otherwise. Whoever imports `@mantine/core/styles.css` gets the ground and the styles that others build on, in
 * Mantine's order; each further component brings its own with its code. All are in the layer `mantine`, so that our own
 * rules win wherever a chunk's styles land.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Plugin } from 'vite'

const styles = path.dirname(createRequire(import.meta.url).resolve('@mantine/core/styles/global.css'))
const styleOf = (name: string) => path.join(styles, `${name}.layer.css`)

/** https://mantine.dev/styles/css-files-list: these come before the styles that refine them. */
const ground = [
  'baseline',
  'default-css-variables',
  'global',
  'ScrollArea',
  'UnstyledButton',
  'VisuallyHidden',
  'Paper',
  'Overlay',
  'Popover',
  'Loader',
  'ActionIcon',
  'CloseButton',
  'Group',
  'ModalBase',
  'Input',
  'Flex',
  'FloatingIndicator',
  'InlineInput',
  'Text',
]

const groundId = '\0mantine-ground'

export function mantineStyles(): Plugin[] {
  return [
    {
      name: 'mantine-styles',
      apply: 'build',
      enforce: 'pre',
      resolveId: (id) => (id === '@mantine/core/styles.css' ? groundId : null),
      load: (id) =>
        id === groundId ? ground.map((name) => `import ${JSON.stringify(styleOf(name))}`).join('\n') : null,
      transform(code, id) {
        // The module that holds a component's class names.
        const name = /@mantine\/core\/esm\/.*\/(\w+)\.module\.mjs$/.exec(id)?.[1]
        if (!name || ground.includes(name) || !existsSync(styleOf(name))) return null
        return { code: `import ${JSON.stringify(styleOf(name))}\n${code}`, map: null }
      },
    },
    {
      // The development server bundles Mantine beforehand, so it gets everything.
      name: 'mantine-styles-whole',
      apply: 'serve',
      enforce: 'pre',
      resolveId: (id) => (id === '@mantine/core/styles.css' ? path.join(styles, '../styles.layer.css') : null),
    },
  ]
}
