/**
 * A process that answers every inference request with the same bytes, as cheaply as Node can: what the load generator can
 * do at most is measured against it.
 */
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import process from "node:process";

const json = JSON.stringify({
  model_name: "digits",
  model_version: "1",
  parameters: { batch: 1 },
  outputs: [{ name: "logits", datatype: "FP32", shape: [1, 10], parameters: { binary_data_size: 40 } }],
});
const answer = Buffer.concat([
  Buffer.from(
    `HTTP/1.1 200 OK\r\nContent-Length: ${json.length + 40}\r\nInference-Header-Content-Length: ${json.length}\r\n\r\n${json}`,
  ),
  Buffer.alloc(40),
]);

const server = createServer({ noDelay: true }, (socket) => {
  /** Of one request, head included: all requests of a connection are alike. */
  let requestBytes = 0;
  let received = 0;
  socket.on("data", (data) => {
    if (requestBytes === 0) {
      const head = data.subarray(0, data.indexOf("\r\n\r\n") + 4).toString("latin1");
      requestBytes = head.length + Number(/content-length: (\d+)\r\n\r\n$/i.exec(head)?.[1] ?? 0);
    }
    received += data.byteLength;
    for (; received >= requestBytes; received -= requestBytes) socket.write(answer);
  });
  socket.on("error", () => {
    socket.destroy();
  });
});
server.listen(0, "127.0.0.1", () => {
  process.send?.((server.address() as AddressInfo).port);
});
process.on("disconnect", () => {
  process.exit();
});
