/** Mails that the embedded mail catcher keeps as files. A mail of a delivery carries its id in Message-ID. */
import { open, readdir, rm } from 'node:fs/promises'
import path from 'node:path'

/** Headers come first, and ours are short. */
const headBytes = 16 * 1024
const messageId = /^message-id:\s*<(?<delivery>[0-9a-f-]{36})\./im

/** Removes the mails of these deliveries. A folder that is not there holds none. */
export async function removeMails(folder: string, deliveries: ReadonlySet<string>): Promise<void> {
  if (deliveries.size === 0) return
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  for (const name of names.filter((file) => file.endsWith('.eml'))) {
    const file = path.join(folder, name)
    const delivery = messageId.exec(await headOf(file))?.groups?.delivery
    if (delivery && deliveries.has(delivery)) await rm(file, { force: true })
  }
}

async function headOf(file: string): Promise<string> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await handle.close()
  }
}
