// @nktkas/hyperliquid, a client in TypeScript, asks the simulated Hyperliquid for all that it knows; run by hand:
//
//     strandline sim --symbols BTC,ETH --unlimited        # in another shell
//     mkdir nktkas && cd nktkas && npm install @nktkas/hyperliquid viem ws        (tried: 0.32.2 on Node 20)
//     node ../tests/strandline_sim/clients/nktkas_session.mjs http://127.0.0.1:3001
//
// Every request and topic that docs/simulated-venues.md lists as simulated has to succeed, every other one is refused.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`); // the packages are those of the folder it is run in
globalThis.WebSocket ??= require("ws").WebSocket;
const { ExchangeClient, HttpTransport, InfoClient, SubscriptionClient, WebSocketTransport } = require("@nktkas/hyperliquid");
const { generatePrivateKey, privateKeyToAccount } = require("viem/accounts");

const url = process.argv[2];
const page = readFileSync(new URL("../../../docs/simulated-venues.md", import.meta.url), "utf8");
const http = new HttpTransport({ apiUrl: url, rpcUrl: url, isTestnet: true });
const ws = new WebSocketTransport({ url: `${url.replace("http", "ws")}/ws`, isTestnet: true });
const wallet = privateKeyToAccount(generatePrivateKey());
const user = wallet.address.toLowerCase();
const failures = [];

/** The names that the page lists under a heading: simulated, and not simulated. */
function listed(heading) {
  const section = page.split(`\n### ${heading}\n`)[1].split("\n#")[0];
  return section.trim().split("\n\n").map((part) => [...part.split(":").slice(1).join(":").matchAll(/`([^`]+)`/g)].map((one) => one[1]));
}

function expect(condition, message) {
  if (!condition) failures.push(message);
}

/** Call each method that the client has; those that are simulated have to succeed, the others to fail at the venue. */
async function askAll(heading, client, call) {
  const [simulated, other] = listed(heading);
  let asked = 0;
  for (const name of [...simulated, ...other].filter((one) => typeof client[one] === "function")) {
    const error = await Promise.resolve().then(() => (client[name].length < 2 ? client[name]() : call(name))).then(() => null, (reason) => reason);
    if (error?.name === "ValidationError") continue; // it needs parameters that the simulator knows nothing of
    asked += 1;
    const refused = error !== null && /40[45]|422|Invalid subscription|Error parsing JSON/.test(String(error));
    const right = simulated.includes(name) ? error === null : refused;
    expect(right, `${heading}: ${name}: ${error ?? "was not refused"}`);
  }
  console.log(`${heading}: ${asked} asked`);
}

async function refused(promise, pattern) {
  const error = await promise.then(() => null, (reason) => reason);
  expect(error !== null && pattern.test(error.message), `not refused with ${pattern}: ${error}`);
}

const query = {
  user, coin: "BTC", interval: "1m", oid: 1, startTime: Date.now() - 3_600_000, builder: user, dex: "", token: `0x${"0".repeat(32)}`,
  vaultAddress: user, hash: `0x${"0".repeat(64)}`, height: 1, id: 1,
};
const info = new InfoClient({ transport: http });
expect(Number((await info.clearinghouseState({ user })).withdrawable) > 0, "a new account has no cash");
for (const transport of [http, ws]) {
  const client = new InfoClient({ transport });
  await askAll("Hyperliquid: types of /info", client, (name) => client[name](query));
}

const events = {};
const subscriptions = new SubscriptionClient({ transport: ws });
await askAll("Hyperliquid: topics of the WebSocket", subscriptions, (name) => {
  const listener = (event) => (events[name] ??= []).push(event);
  return name === "allMids" ? subscriptions[name](listener) : subscriptions[name](query, listener);
});

for (const transport of [http, ws]) {
  const exchange = new ExchangeClient({ transport, wallet });
  const mid = Number((await info.allMids()).BTC);
  const order = (price, more) => ({ a: 0, b: true, p: String(Math.round(price)), s: "0.001", r: false, t: { limit: { tif: "Gtc" } }, ...more });
  const trigger = (price, tpsl) =>
    order(price, { b: false, r: true, t: { trigger: { isMarket: true, triggerPx: String(Math.round(price)), tpsl } } });
  await exchange.updateLeverage({ asset: 0, isCross: false, leverage: 5 });
  const bracket = [order(mid * 1.01, { t: { limit: { tif: "Ioc" } } }), trigger(mid * 1.1, "tp"), trigger(mid * 0.9, "sl")];
  const bought = await exchange.order({ orders: bracket, grouping: "normalTpsl" });
  expect(bought.response.data.statuses[0].filled?.totalSz === "0.001", `not bought: ${JSON.stringify(bought)}`);
  await exchange.updateIsolatedMargin({ asset: 0, isBuy: true, ntli: 5_000_000 });
  const cloid = `0x${(transport === http ? "1" : "2").repeat(32)}`;
  const resting = await exchange.order({ orders: [order(mid * 0.9, { c: cloid })], grouping: "na" });
  const { oid } = resting.response.data.statuses[0].resting;
  await exchange.modify({ oid, order: order(mid * 0.89, { c: cloid }) });
  await exchange.batchModify({ modifies: [{ oid: cloid, order: order(mid * 0.88, { c: cloid }) }] });
  await exchange.cancelByCloid({ cancels: [{ asset: 0, cloid }] });
  await refused(exchange.cancel({ cancels: [{ a: 0, o: oid }] }), /never placed, already canceled, or filled/);
  await exchange.scheduleCancel({ time: Date.now() + 60_000 });
  await exchange.noop();
  await exchange.approveAgent({ agentAddress: privateKeyToAccount(generatePrivateKey()).address, agentName: "session" });
  await refused(exchange.approveBuilderFee({ builder: user, maxFeeRate: "0.1%" }), /./);
  const sold = await exchange.order({ orders: [order(mid * 0.99, { b: false, r: true, t: { limit: { tif: "Ioc" } } })], grouping: "na" });
  expect(sold.response.data.statuses[0].filled?.totalSz === "0.001", `not sold: ${JSON.stringify(sold)}`);
  const open = await info.openOrders({ user });
  if (open.length > 0) await exchange.cancel({ cancels: open.map((one) => ({ a: 0, o: one.oid })) });
}

await new Promise((resolve) => setTimeout(resolve, 6_000)); // the slowest feeds come every five seconds
const silent = listed("Hyperliquid: topics of the WebSocket")[0].filter((name) => !(name in events));
expect(silent.every((name) => ["notification", "userFundings"].includes(name)), `no event of ${silent}`);
console.log("events", Object.fromEntries(Object.entries(events).map(([name, found]) => [name, found.length])));
const fills = (events.userFills ?? []).flatMap((event) => event.fills.map((fill) => fill.tid));
const known = (await info.userFills({ user })).map((fill) => fill.tid);
expect(new Set(fills).size === known.length && known.every((tid) => fills.includes(tid)), "the fills of the feed are others");
await ws.close();
for (const failure of failures) console.error("FAILED", failure);
console.log(failures.length ? "" : "the session is complete");
process.exit(failures.length ? 1 : 0);
