import {
  type ComponentType,
  cloneElement,
  type PointerEvent,
  type ReactElement,
  useEffect,
  useRef,
  useState,
} from 'react'

/** A menu around the button that opens it. */
export type MenuAround = ComponentType<{ readonly target: ReactElement<Record<string, unknown>> }>

export interface MenuOnDemandProps {
  readonly load: () => Promise<MenuAround>
  /** The button. */
  readonly children: ReactElement<Record<string, unknown>>
}

/**
 * The button of a menu. The menu itself, and what places it, loads when somebody comes near the button: the first page
 * has a tenth less to load without it.
 */
export function MenuOnDemand({ load, children: target }: MenuOnDemandProps) {
  const [Menu, setMenu] = useState<MenuAround>()
  const place = useRef<HTMLSpanElement>(null)
  const after = useRef({ focus: false, open: false })

  // The button is a new one with the menu around it: it goes on where the bare one was.
  useEffect(() => {
    const button = place.current?.querySelector('button')
    if (!Menu || !button) return
    const { focus, open } = after.current
    if (focus) button.focus({ preventScroll: true })
    if (open) button.click()
  }, [Menu])

  const prepare = async () => {
    // Where it cannot be loaded now, the next click tries again.
    const loaded = await load().catch(() => undefined)
    after.current.focus ||= place.current?.contains(document.activeElement) ?? false
    if (loaded) setMenu(() => loaded)
  }
  return (
    <span ref={place} style={{ display: 'contents' }}>
      {Menu ? (
        <Menu target={target} />
      ) : (
        cloneElement(target, {
          'aria-haspopup': 'menu',
          'aria-expanded': false,
          onPointerEnter: () => void prepare(),
          onFocus: () => void prepare(),
          // Where the menu comes between press and release, no button gets a click.
          onPointerDown: ({ button, pointerType }: PointerEvent) => {
            if (button === 0 && pointerType === 'mouse') after.current = { focus: true, open: true }
          },
          onClick: () => {
            after.current = { focus: true, open: true }
            void prepare()
          },
        })
      )}
    </span>
  )
}
