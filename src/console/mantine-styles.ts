/**
 * Mantine's styles, of the components that are used alone, in the chunks that use them: 37 KB of zipped CSS on the first
 * page otherwise. Whoever imports `@mantine/core/styles.css` gets the ground, that is the styles that others build on;
 * each further component brings its own with its code. Chunks load in any order, so layers say which rules win: ground,
 * then component, then whatever is in no layer, such as our own.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import type { Plugin } from 'vite'

const styles = path.dirname(createRequire(import.meta.url).resolve('@mantine/core/styles/global.css'))
const styleOf = (name: string) => path.join(styles, `${name}.css`)

/** In Mantine's order: https://mantine.dev/styles/css-files-list. */
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
/** At the head of every file: the first that is loaded settles the order. */
const order = '@layer mantine.ground, mantine.component;'

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
        if (path.dirname(id) === styles) {
          const layer = ground.includes(path.basename(id, '.css')) ? 'ground' : 'component'
          return { code: `${order}\n@layer mantine.${layer} {\n${code}\n}`, map: null }
        }
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
