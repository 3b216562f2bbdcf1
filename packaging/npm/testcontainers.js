// Tidegate in a container, by testcontainers, for tests in JavaScript. The image is what `cargo xtask dist oci` writes; an engine loads
// it from that file. It is on the machine's own network: there private services of tests are reached, and nobody else reaches the server.
"use strict";

const { AbstractStartedContainer, GenericContainer, Wait } = require("testcontainers");

const IMAGE = "tidegate:0.1.0";
// The line of JSON that a server prints once it serves, which names where.
const READY = /"public_tls":/;
// What it has said once is in its log, so that this is for a machine that hangs.
const SAYS_WITHIN_MS = 30_000;
const WORDS = ["up", "--ephemeral", "--output", "json", "--log", "warn"];
const FREE = ["--api", "127.0.0.1:0", "--public", "127.0.0.1:0", "--public-tls", "127.0.0.1:0"];

/** A server that runs in a container: `api`, `public` and `publicTls` are its URLs. */
class StartedTidegateContainer extends AbstractStartedContainer {
  constructor(started, ready) {
    super(started);
    this.api = ready.api;
    this.public = ready.public;
    this.publicTls = ready.public_tls;
    this.region = ready.region;
  }

  /** What points AWS's clients, Terraform and `tidegate` at it. */
  env() {
    return {
      AWS_ENDPOINT_URL: this.api,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_DEFAULT_REGION: this.region,
      AWS_REGION: this.region,
      TIDEGATE_API: this.api,
    };
  }

  /** The same for a client of AWS's SDK. */
  clientConfig() {
    const credentials = { accessKeyId: "test", secretAccessKey: "test" };
    return { endpoint: this.api, region: this.region, credentials };
  }

  /** Where a stage of an API answers, by path: it needs no name to resolve. */
  url(api, path = "/", stage = "$default") {
    const place = stage === "$default" ? "" : `/${stage}`;
    return `${this.api}/_aws/execute-api/${api}${place}/${path.replace(/^\/+/, "")}`;
  }

  /** Which hop decided about a request, by its id, as `tidegate explain --output json` tells it. */
  async explain(requestId) {
    const id = encodeURIComponent(requestId).replaceAll("%3D", "=");
    const answer = await fetch(`${this.api}/_tidegate/explain/${id}`);
    return answer.json();
  }
}

/** One server in memory, on ports that were free. */
class TidegateContainer extends GenericContainer {
  constructor(image = IMAGE, args = ["--timeouts-blocked-connect", "300ms"]) {
    super(image);
    this.withNetworkMode("host").withCommand([...WORDS, ...FREE, ...args]).withWaitStrategy(Wait.forLogMessage(READY));
  }

  async start() {
    const started = await super.start();
    return new StartedTidegateContainer(started, JSON.parse(await line(await started.logs())));
  }
}

/** The line that says that it serves. */
async function line(stream) {
  let said = "";
  // The stream of testcontainers keeps no program alive; this does, as long as it is waited for.
  const late = setTimeout(() => stream.destroy(new Error(`no word of it within ${SAYS_WITHIN_MS} ms: ${said}`)), SAYS_WITHIN_MS);
  try {
    for await (const chunk of stream) {
      said += chunk;
      const found = said.split("\n").slice(0, -1).find((text) => READY.test(text));
      if (found) return found.slice(found.indexOf("{"));
    }
  } finally {
    clearTimeout(late);
    stream.destroy();
  }
  throw new Error(`the server did not say where it serves: ${said}`);
}

module.exports = { IMAGE, StartedTidegateContainer, TidegateContainer };
