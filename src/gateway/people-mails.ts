/** Mails to people. Plain text; what a stranger may have typed stands on lines of its own. */
import type { Mail } from '../egress/mail.ts'

export function invitationMail({
  to,
  team,
  role,
  days,
  link,
}: {
  readonly to: string
  readonly team: string
  readonly role: string
  readonly days: number
  readonly link: string
}): Mail {
  return {
    to,
    subject: `Invitation to ${oneLine(team)}`,
    text: [
      `You are invited to join this team as ${role === 'viewer' ? 'a' : 'an'} ${role}:`,
      '',
      `    ${oneLine(team)}`,
      '',
      `Accept here within ${days} ${days === 1 ? 'day' : 'days'}:`,
      '',
      link,
      '',
      'If you did not expect this, ignore it: nothing happens without you.',
      '',
    ].join('\n'),
  }
}

export function passwordResetMail({
  to,
  name,
  minutes,
  link,
}: {
  readonly to: string
  readonly name: string
  readonly minutes: number
  readonly link: string
}): Mail {
  return {
    to,
    subject: 'Set a new password',
    text: [
      `Hello ${oneLine(name)},`,
      '',
      `Somebody, perhaps you, asked for a new password for this address. Set one here within ${minutes} minutes:`,
      '',
      link,
      '',
      'If it was not you, ignore this: your password stays as it is.',
      '',
    ].join('\n'),
  }
}

export function passwordChangedMail({ to }: { readonly to: string }): Mail {
  return {
    to,
    subject: 'Your password was changed',
    text: [
      'The password of this address was changed just now, and all other sign-ins were ended.',
      '',
      'If it was not you, ask for a new password at once and tell an administrator.',
      '',
    ].join('\n'),
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200)
}
