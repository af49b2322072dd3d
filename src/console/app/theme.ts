/** The look: calm, dense, one accent. Contrasts are those of WCAG 2.2 AA on both backgrounds. */
import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core'

/** The accent: the colour of deep water. */
const water: MantineColorsTuple = [
  '#e8f7fa',
  '#d3edf3',
  '#a9dae6',
  '#7cc7d8',
  '#52b3c9',
  '#2fa0b8',
  '#188ba4',
  '#0f7d94',
  '#0b7285',
  '#075566',
]

/** The dark side: the kit's greys, with a little of the water in them. */
const dark: MantineColorsTuple = [
  '#d3d8dc',
  '#b5bcc2',
  '#8b949c',
  '#6b757d',
  '#3b454d',
  '#2c343a',
  '#252c31',
  '#1b2024',
  '#161a1d',
  '#101315',
]

export const theme = createTheme({
  primaryColor: 'water',
  colors: { water, dark },
  primaryShade: { light: 8, dark: 7 },
  autoContrast: true,
  // Above it, black reads better than white.
  luminanceThreshold: 0.22,
  cursorType: 'pointer',
  focusRing: 'auto',
  respectReducedMotion: true,
  defaultRadius: 'md',
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  headings: {
    fontWeight: '650',
    sizes: {
      h1: { fontSize: '1.5rem', lineHeight: '1.3' },
      h2: { fontSize: '1.125rem', lineHeight: '1.4' },
      h3: { fontSize: '1rem', lineHeight: '1.45' },
    },
  },
  components: {
    // Titles in the text's own colour: yellow on yellow is not to be read.
    Alert: { defaultProps: { variant: 'light' }, styles: { title: { color: 'var(--mantine-color-text)' } } },
    Badge: { defaultProps: { variant: 'light', radius: 'sm', tt: 'none', fw: 550 } },
    Avatar: { defaultProps: { autoContrast: true } },
    // Without the placeholder, which a menu must not own (axe: aria-required-children), the first item has the focus.
    Menu: { defaultProps: { withInitialFocusPlaceholder: false } },
    Modal: {
      defaultProps: { centered: true, overlayProps: { backgroundOpacity: 0.45 } },
      styles: {
        content: { background: 'var(--sluice-surface)' },
        header: { background: 'var(--sluice-surface)' },
        title: { fontWeight: 650, fontSize: 'var(--mantine-font-size-lg)', overflowWrap: 'anywhere' },
      },
    },
    Paper: { defaultProps: { radius: 'md' } },
    Tooltip: {
      defaultProps: { withArrow: true, multiline: true, maw: 320, events: { hover: true, focus: true, touch: true } },
    },
  },
})

/** Dimmed text and coloured text dark enough, or light enough, to be read. */
export const cssVariables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#576069',
    '--mantine-color-placeholder': '#646d76',
    '--mantine-color-error': '#c92a2a',
    '--sluice-page': '#f6f8f9',
    '--sluice-surface': '#ffffff',
    '--sluice-line': '#dde3e7',
  },
  dark: {
    '--mantine-color-dimmed': '#a6adb4',
    '--mantine-color-placeholder': '#8e969e',
    '--mantine-color-error': '#ff8787',
    '--mantine-color-body': '#14181b',
    '--sluice-page': '#14181b',
    '--sluice-surface': '#1b2024',
    '--sluice-line': '#2c343a',
  },
})
