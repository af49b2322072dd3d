/** The console: the program that a browser runs. */
import '@mantine/core/styles.css'
import '@mantine/notifications/styles.css'
import './app/look.css'
import { createRoot } from 'react-dom/client'
import { createSignIn } from './api/sign-in.ts'
import { Console } from './app/console.tsx'
import { preferredLanguage, startTexts } from './i18n/texts.ts'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root.')
await startTexts(preferredLanguage())
const signIn = createSignIn()
void signIn.start()
createRoot(root).render(<Console signIn={signIn} />)
