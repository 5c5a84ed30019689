// Plays a phone with an authenticator app. It knows the standards and the picture on the page, and nothing of the crate.
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";

/** Reads the QR code in a picture of a page, as a camera would. */
export function read(picture) {
  const asked = ["--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "PNG:-"];
  // What it writes to the error output is about a bus that it does not need.
  const text = execFileSync("zbarimg", asked, { input: picture, stdio: ["pipe", "pipe", "ignore"] });
  return text.toString().trim();
}

export class Phone {
  #world;
  #key;
  #lastStep = -1;

  constructor(world, uri) {
    const { protocol, host, searchParams, pathname } = new URL(uri);
    if (protocol !== "otpauth:" || host !== "totp") throw new Error("the QR code is not one of an authenticator");
    const asked = (name, otherwise) => searchParams.get(name) ?? otherwise;
    this.#world = world;
    this.#key = fromBase32(searchParams.get("secret"));
    this.algorithm = asked("algorithm", "SHA1");
    this.digits = Number(asked("digits", 6));
    this.period = Number(asked("period", 30));
    this.account = decodeURIComponent(pathname.slice(1));
    this.issuer = searchParams.get("issuer");
  }

  /** Returns the code of a step, by RFC 6238. */
  #at(step) {
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(step));
    const mac = createHmac(this.algorithm, this.#key).update(counter).digest();
    const number = mac.readUInt32BE(mac[mac.length - 1] & 15) & 0x7fffffff;
    return String(number % 10 ** this.digits).padStart(this.digits, "0");
  }

  get #step() {
    return Math.floor(this.#world.now() / this.period);
  }

  /** Returns a code that was not used before: where this step's was, its owner waits for the next one. */
  code() {
    if (this.#step <= this.#lastStep) this.#world.wait((this.#lastStep - this.#step + 1) * this.period);
    this.#lastStep = this.#step;
    return this.#at(this.#lastStep);
  }

  /** Returns the code of a clock that is so many steps ahead. */
  codeAhead(steps) {
    return this.#at(this.#step + steps);
  }

  /** Returns the code that was used last. */
  usedCode() {
    return this.#at(this.#lastStep);
  }

  /** Returns a code that is wrong now, and in the minutes around. */
  wrongCode() {
    const right = [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((away) => this.#at(this.#step + away));
    for (let number = 0; ; number += 1) {
      const code = String(number).padStart(this.digits, "0");
      if (!right.includes(code)) return code;
    }
  }
}

function fromBase32(text) {
  let bits = "";
  for (const letter of text) bits += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0");
  return Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
}
