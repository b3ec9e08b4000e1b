// A Bluesky of our own on free ports of this machine: the platform's own data server (PDS), directory
// (PLC) and app view, as its makers test them, from the package @atproto/dev-env.
//
//     node network.mjs POSTGRES_URL      prints {"pds": PORT} when it is there; ends with its stdin

import { createServer, Server } from 'node:net'

// Servers bind to every address of a machine unless they are told otherwise.
const listen = Server.prototype.listen
Server.prototype.listen = function (where, ...rest) {
  const at = typeof where === 'number' ? { port: where, host: '127.0.0.1' } : where
  return listen.call(this, at, ...rest.filter(one => typeof one === 'function'))
}

const { TestBsky, TestBsync, TestPds, TestPlc, mockNetworkUtilities } = await import('@atproto/dev-env')

/** @returns {Promise<number>} */
const freePort = () =>
  new Promise(resolve => {
    const server = createServer()
    server.listen(0, () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

const dbPostgresUrl = process.argv[2]
const [plcPort, bsyncPort, pdsPort, bskyPort] = [
  await freePort(), await freePort(), await freePort(), await freePort()
]

const plc = await TestPlc.create({ port: plcPort })
const bsync = await TestBsync.create({
  port: bsyncPort, apiKeys: ['bsync-api-key'], dbUrl: dbPostgresUrl, dbSchema: 'bsync'
})
const bsky = await TestBsky.create({
  port: bskyPort,
  publicUrl: `http://localhost:${bskyPort}`,
  plcUrl: plc.url,
  pdsPort,
  bsyncUrl: bsync.url,
  repoProvider: `ws://localhost:${pdsPort}`,
  dbPostgresUrl,
  dbPostgresSchema: 'appview'
})
bsync.ctx.dataplaneClients = [bsky.ctx.dataplane]
const pds = await TestPds.create({
  port: pdsPort, didPlcUrl: plc.url, bskyAppViewUrl: bsky.url, bskyAppViewDid: bsky.ctx.cfg.serverDid
})
mockNetworkUtilities(pds, bsky)

console.log(JSON.stringify({ pds: pdsPort }))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
