// Proof of work of ALTCHA v2 (PBKDF2) with WebCrypto, in a worker of its own so that the page stays quick.
// A classic script without imports: module workers do not exist on iOS 13. Input: the challenge's parameters.
// Format: password = nonce ‖ counter as big-endian uint32; solved when the derived key begins with keyPrefix.

"use strict";

const COUNTER_MAX = 5000000;

function bytesOf(hex) {
  const bytes = new Uint8Array(hex.length / 2);
  for (let place = 0; place < bytes.length; place += 1) bytes[place] = parseInt(hex.substr(place * 2, 2), 16);
  return bytes;
}

function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function derive(parameters, salt, password) {
  const key = await crypto.subtle.importKey("raw", password, { name: "PBKDF2" }, false, ["deriveBits"]);
  const hash = parameters.algorithm.slice("PBKDF2/".length);
  const bits = await crypto.subtle.deriveBits(
    { name: "PBKDF2", salt, iterations: parameters.cost, hash }, key, parameters.keyLength * 8,
  );
  return new Uint8Array(bits);
}

async function solve(parameters) {
  if (!/^PBKDF2\/SHA-(256|384|512)$/.test(parameters.algorithm)) throw new Error("algorithm");
  const nonce = bytesOf(parameters.nonce);
  const salt = bytesOf(parameters.salt);
  const prefix = parameters.keyPrefix.toLowerCase();
  const password = new Uint8Array(nonce.length + 4);
  password.set(nonce, 0);
  const tail = new DataView(password.buffer, nonce.length);
  const started = Date.now();
  for (let counter = 0; counter < COUNTER_MAX; counter += 1) {
    tail.setUint32(0, counter, false);
    const derivedKey = hexOf(await derive(parameters, salt, password));
    if (derivedKey.startsWith(prefix)) return { counter, derivedKey, time: Date.now() - started };
  }
  throw new Error("unsolved");
}

self.onmessage = (message) => {
  // Without https browsers hide WebCrypto; the page then says how to open it instead.
  if (!self.crypto || !self.crypto.subtle) {
    self.postMessage({ error: "no_crypto" });
    return;
  }
  solve(message.data).then(
    (solution) => self.postMessage({ solution }),
    (error) => self.postMessage({ error: error.message }),
  );
};
