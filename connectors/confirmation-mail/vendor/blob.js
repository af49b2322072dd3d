/** As much of the web's Blob as postal-mime uses: bytes and texts put together. */
export class Blob {
  #chunks

  constructor(chunks = []) {
    this.#chunks = chunks.map(bytesOf)
  }

  async arrayBuffer() {
    const whole = new Uint8Array(this.#chunks.reduce((sum, { byteLength }) => sum + byteLength, 0))
    let at = 0
    for (const chunk of this.#chunks) {
      whole.set(chunk, at)
      at += chunk.byteLength
    }
    return whole.buffer
  }
}

/** Line ends are most of the texts. */
const newline = new TextEncoder().encode('\n')

function bytesOf(chunk) {
  if (typeof chunk === 'string') return chunk === '\n' ? newline : new TextEncoder().encode(chunk)
  return chunk instanceof ArrayBuffer
    ? new Uint8Array(chunk)
    : new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}
