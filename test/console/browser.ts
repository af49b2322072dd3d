/** The browser of the console's tests: Chromium as the system has it. Nothing is downloaded. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const usualPlaces = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** The program to run: `CHROMIUM`, or where systems have it; undefined where there is none. */
export const chromiumProgram = process.env.CHROMIUM || usualPlaces.find((place) => existsSync(place))

if (!chromiumProgram) {
  process.stderr.write(
    '\nSKIPPED: tests of the console in a browser. Install Chromium (Debian: apt install chromium), or name one in CHROMIUM.\n\n',
  )
}

/** One for a test file; each test opens contexts of its own in it. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: chromiumProgram,
    args: [
      '--disable-gpu',
      '--disable-quic',
      '--disable-dev-shm-usage',
      // Whatever a page asks for elsewhere fails, and so does its test.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  })
}
