// tus-js-client: node client.cjs MODULES URL FILE NAME PARALLEL CHUNK; prints the upload's URL.
const [modules, endpoint, file, name, parallel, chunk] = process.argv.slice(2)
const fs = require("fs")
const tus = require(require.resolve("tus-js-client", {paths: [modules]}))
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  chunkSize: Number(chunk),
  parallelUploads: Number(parallel),
  metadata: {filename: name},
  retryDelays: Array(60).fill(100),
  onError(error) { console.error(String(error)); process.exit(1) },
  onSuccess() { console.log(upload.url) },
})
upload.start()
