export function wrongDirection(from: string, to: string): string | undefined
export function importsOf(source: string): string[]
export function checkImportDirections(sourceFolder: string): string[]
