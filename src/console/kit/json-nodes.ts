/** A JSON value as a tree to look at. */

export interface JsonNode {
  /** JSON Pointer (RFC 6901): tells nodes apart. */
  readonly value: string
  readonly label: string
  /** Its key, or its place in a list. */
  readonly name: string
  /** Its value as JSON; of an object or list, how much is in it. */
  readonly text: string
  readonly type: 'tree' | 'leaf'
  readonly children?: readonly JsonNode[]
}

/** @returns the entries of an object or list; of anything else one node without a name. */
export function jsonNodes(value: unknown, path = ''): readonly JsonNode[] {
  if (typeof value !== 'object' || value === null) {
    return path === '' ? [leaf('', 'value', value)] : []
  }
  return Object.entries(value).map(([name, item]): JsonNode => {
    const at = `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (typeof item !== 'object' || item === null) return leaf(at, name, item)
    const children = jsonNodes(item, at)
    const text = Array.isArray(item) ? `[${children.length}]` : `{${children.length}}`
    return { value: at, label: name, name, text, type: 'tree', ...(children.length > 0 ? { children } : {}) }
  })
}

function leaf(at: string, name: string, item: unknown): JsonNode {
  return { value: at, label: name, name, text: JSON.stringify(item) ?? '', type: 'leaf' }
}

/** Of everything that can be opened. */
export function allPointers(nodes: readonly JsonNode[]): readonly string[] {
  return nodes.flatMap(({ value, children }) => (children ? [value, ...allPointers(children)] : []))
}

/** What is open if so many levels are to be seen. */
export function openAt(nodes: readonly JsonNode[], levels: number): Record<string, boolean> {
  const open: Record<string, boolean> = {}
  const visit = (nodes: readonly JsonNode[], left: number) => {
    if (left <= 1) return
    for (const { value, children } of nodes) {
      if (!children) continue
      open[value] = true
      visit(children, left - 1)
    }
  }
  visit(nodes, levels)
  return open
}

export interface FoundNodes {
  /** Those that match, and what leads to them. */
  readonly nodes: readonly JsonNode[]
  readonly open: Record<string, boolean>
  readonly count: number
}

/** What is found beyond that many is counted, and not shown. */
const mostFound = 200

/** Nodes whose name or value holds this text, whatever its case. A node that matches by its name keeps all below it. */
export function searchJson(nodes: readonly JsonNode[], text: string): FoundNodes {
  const wanted = text.trim().toLowerCase()
  const open: Record<string, boolean> = {}
  let count = 0
  if (!wanted) return { nodes, open, count }
  const filter = (nodes: readonly JsonNode[]): readonly JsonNode[] =>
    nodes.flatMap((node): readonly JsonNode[] => {
      const matches =
        node.name.toLowerCase().includes(wanted) || (node.type === 'leaf' && node.text.toLowerCase().includes(wanted))
      if (matches) count += 1
      const isShown = matches && count <= mostFound
      const below = node.children ? filter(node.children) : []
      if (below.length > 0) {
        open[node.value] = true
        return [{ ...node, children: isShown ? (node.children ?? []) : below }]
      }
      return isShown ? [node] : []
    })
  return { nodes: filter(nodes), open, count }
}
