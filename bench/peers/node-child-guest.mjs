// The child of node-child.mjs.
let settle = () => undefined
const call = (name, ...parameters) =>
  new Promise((resolve) => {
    settle = resolve
    process.send({ call: name, parameters })
  })
const functions = {
  plain: () => 'success',
  calling: async ({ url, session }) =>
    (await call('request', 'POST', url, JSON.stringify(session))) === 204 ? 'success' : 'failed',
  asking: async () => {
    await call('nothing')
    return 'success'
  },
}
process.on('message', async (message) => {
  if ('answer' in message) settle(message.answer)
  else process.send({ status: await functions[message.name](message.input) })
})
