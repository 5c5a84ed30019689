// The server, as a process on a free port, and what stands beside a client: a phone and an administrator.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

export const REGION = 'us-east-1';

export class Server {
  static async start(program, pools, ...options) {
    const server = new Server();
    server.process = spawn(
      program,
      ['--listen', '127.0.0.1:0', '--region', REGION, '--pools', pools, ...options],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    for await (const line of createInterface({ input: server.process.stdout })) {
      const told = /Endpoint: (\S+)$/.exec(line);
      if (told) {
        server.endpoint = told[1];
        return server;
      }
    }
    throw new Error('the server did not start');
  }

  async stop() {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    await ended;
  }
}

/// An administrator's request, which needs no signature here.
export async function call(endpoint, operation, members) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `AWSCognitoIdentityProviderService.${operation}`,
    },
    body: JSON.stringify(members),
  });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.message), { name: body.__type });
  return body;
}

/// What an authenticator shows so many steps after this one (RFC 6238).
export function code(secret, ahead) {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0'));
  const bytes = bits.join('').match(/.{8}/g).map((byte) => Number.parseInt(byte, 2));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + ahead));
  const mac = createHmac('sha1', Buffer.from(bytes)).update(step).digest();
  const number = mac.readUInt32BE(mac[19] & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/// A code that none of the steps around now has.
export function wrongCode(secret) {
  const near = [-2, -1, 0, 1, 2].map((ahead) => code(secret, ahead));
  return [0, 1, 2, 3, 4, 5].map((n) => `00000${n}`).find((wrong) => !near.includes(wrong));
}
