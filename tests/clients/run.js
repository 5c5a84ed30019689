// Plays every flow by every client against the server, and prints a table of the outcomes: `run.js PROGRAM PYTHON README`.
// The README holds that table between two marks; with `--write` it is put there.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { CognitoJwtVerifier, JwtVerifier } from 'aws-jwt-verify';
import * as esbuild from 'esbuild';
import { chromium } from 'playwright-core';
import * as amplify5 from './clients/amplify-5.js';
import * as amplify6 from './clients/amplify-6.js';
import * as identity from './clients/identity-js.js';
import * as sdk from './clients/sdk-3.js';
import { same } from './expect.js';
import { REGION, Server, call, code, wrongCode } from './world.js';

const [program, python, readme] = process.argv.slice(2);
const here = (file) => new URL(file, import.meta.url).pathname;
const require = createRequire(import.meta.url);

const FLOWS = [
  'sign-up',
  'sign-in',
  'MFA_SETUP by session',
  'code, a wrong one first',
  'preference',
  'refresh after expiry',
  'sign-out',
  'lost phone',
];
const MARKS = ['<!-- clients: begin -->\n', '<!-- clients: end -->'];
const PASSWORD = 'Correct-Horse-1';
// Access tokens of the short client live for eight seconds.
const EXPIRY = 9;

const server = await Server.start(program, here('pools.toml'));
const told = (operation, members) => call(server.endpoint, operation, members);

/// The pools and clients of a row, by how it signs in.
const pools = (signsInBy) => {
  const suffix = signsInBy === 'SRP' ? '' : 'bypassword';
  const of = (pool, client) => ({ pool: `${REGION}_${pool}`, client });
  return {
    optional: of('Optional1', `optional${suffix}`),
    required: of('Required1', `required${suffix}`),
    short: of('Optional1', 'short'),
  };
};

/// Tokens of a flow are checked by aws-jwt-verify, as by a back end: their issuer is the server by the name that the
/// client has it by, and its keys are where the issuer says.
let accepted = 0;
async function verify({ access, id }, endpoint, { pool, client }) {
  const issuer = `${endpoint}/${pool}`;
  const jwksUri = `${issuer}/.well-known/jwks.json`;
  const keys = await (await fetch(jwksUri)).json();
  const held = [
    [access, { audience: null, customJwtCheck: ({ payload }) => same(payload.client_id, client) }],
    [id, { audience: client }],
  ];
  for (const [token, expected] of held) {
    // Those of the short client may have expired since.
    const verifier = JwtVerifier.create({ issuer, jwksUri, graceSeconds: 600, ...expected });
    // It fetches keys by HTTPS alone.
    verifier.cacheJwks(keys);
    await verifier.verify(token);
    accepted += 1;
  }
}

/// By `--issuer` the tokens are those of a pool in that region to CognitoJwtVerifier, whatever the server's name.
async function verifyAsCognito() {
  const issuer = `https://cognito-idp.${REGION}.amazonaws.com`;
  const server = await Server.start(program, here('pools.toml'), '--issuer', issuer);
  try {
    const { optional } = pools('password');
    const user = { ClientId: optional.client, Username: 'anna' };
    const ask = (operation, members) => call(server.endpoint, operation, members);
    await ask('SignUp', { ...user, Password: PASSWORD });
    await ask('ConfirmSignUp', { ...user, ConfirmationCode: '123456' });
    const { AuthenticationResult: issued } = await ask('InitiateAuth', {
      ClientId: optional.client,
      AuthFlow: 'USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: 'anna', PASSWORD },
    });
    const keys = await fetch(`${server.endpoint}/${optional.pool}/.well-known/jwks.json`);
    const jwks = await keys.json();
    for (const [tokenUse, token] of [['access', issued.AccessToken], ['id', issued.IdToken]]) {
      const expected = { userPoolId: optional.pool, tokenUse, clientId: optional.client };
      const verifier = CognitoJwtVerifier.create(expected);
      verifier.cacheJwks(jwks);
      await verifier.verify(token);
      accepted += 1;
    }
  } finally {
    await server.stop();
  }
}

/// What the flow lives in: a user of its own in each pool, and what the administrator asks for where a phone is lost.
let users = 0;
async function world({ signsInBy, endpoint, lacks }, flow) {
  users += 1;
  const username = `user${users}`;
  const named = pools(signsInBy);
  if (flow !== 'sign-up') {
    for (const { pool } of [named.optional, named.required]) {
      const user = { UserPoolId: pool, Username: username };
      await told('AdminCreateUser', user);
      await told('AdminSetUserPassword', { ...user, Password: PASSWORD, Permanent: true });
    }
  }
  // A client that cannot enrol at sign-in has enrolled where that is optional.
  const { pool } = lacks?.['MFA_SETUP by session'] ? named.optional : named.required;
  const remove = ['AdminDeleteSoftwareToken', { UserPoolId: pool, Username: username }];
  return { ...named, username, password: PASSWORD, endpoint, region: REGION, expiry: EXPIRY, remove };
}

/// A program of its own that is told of the world, and prints tokens.
const run = (program, parameters, context) =>
  new Promise((resolve, reject) => {
    const child = execFile(program, parameters, (error, stdout, stderr) => {
      const told = stderr.split('\n').filter((line) => /(Error|Exception)\b/.test(line));
      if (error) reject(new Error(told.at(-1) ?? stderr));
      else resolve(JSON.parse(stdout.trim().split('\n').at(-1)));
    });
    child.stdin.end(JSON.stringify(context));
  });

const inNode = (file, client) => ({
  name: client.name,
  signsInBy: client.signsInBy,
  place: 'Node',
  endpoint: server.endpoint,
  play: (flow, context) => run(process.execPath, [here('play.js'), file, flow], context),
});

/// On a page of another origin, in a browser of its own for each flow.
const onPage = (client, browser, origin) => ({
  name: client.name,
  signsInBy: client.signsInBy,
  place: 'Chromium',
  // By another name than elsewhere.
  endpoint: server.endpoint.replace('127.0.0.1', 'localhost'),
  async play(flow, context) {
    const session = await browser.newContext();
    try {
      const page = await session.newPage();
      await page.exposeFunction('code', code);
      await page.exposeFunction('wrongCode', wrongCode);
      const answer = (operation, members) =>
        told(operation, members).then(
          (answer) => ({ answer }),
          ({ name }) => ({ refused: name }),
        );
      await page.exposeFunction('admin', answer);
      await page.exposeFunction('remove', () => told(...context.remove));
      await page.exposeFunction('wait', () => new Promise((ready) => setTimeout(ready, 1000 * EXPIRY)));
      await page.goto(origin);
      const run = ([name, flow, context]) =>
        window.run(name, flow, context).catch((error) => {
          throw new Error(`${error.name}: ${error.message}`);
        });
      return await page.evaluate(run, [client.name, flow, context]);
    } finally {
      await session.close();
    }
  },
});

const inPython = (name, signsInBy, place, lacks) => ({
  name,
  signsInBy,
  place,
  endpoint: server.endpoint,
  lacks,
  play: (flow, context) => run(python, [here('clients/python.py'), name, flow], context),
});

const bundle = await esbuild.build({
  entryPoints: [here('page.js')],
  bundle: true,
  write: false,
  minify: true,
  define: { global: 'globalThis' },
  logLevel: 'error',
});
const site = createServer((request, answer) => {
  const script = request.url === '/page.js';
  answer.setHeader('content-type', script ? 'text/javascript' : 'text/html');
  answer.end(script ? bundle.outputFiles[0].text : '<!doctype html><script src="/page.js"></script>');
});
await new Promise((ready) => site.listen(0, '127.0.0.1', ready));
const origin = `http://127.0.0.1:${site.address().port}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});

const rows = [
  inNode('./clients/amplify-6.js', amplify6),
  onPage(amplify6, browser, origin),
  inNode('./clients/amplify-5.js', amplify5),
  onPage(amplify5, browser, origin),
  inNode('./clients/identity-js.js', identity),
  onPage(identity, browser, origin),
  inNode('./clients/sdk-3.js', sdk),
  inPython('AWS CLI', 'password', 'shell'),
  inPython('pycognito', 'SRP', 'Python', { 'MFA_SETUP by session': 'has none' }),
];

const failures = [];
async function cell(row, flow) {
  if (row.lacks?.[flow]) return row.lacks[flow];
  try {
    const context = await world(row, flow);
    const tokens = await row.play(flow, context);
    if (tokens?.access) {
      const claims = JSON.parse(Buffer.from(tokens.access.split('.')[1], 'base64url'));
      const asked = Object.values(pools(row.signsInBy));
      const from = asked.find(({ client }) => client === claims.client_id);
      await verify(tokens, row.endpoint, from);
    }
    return flow === 'sign-in' ? row.signsInBy : 'yes';
  } catch (error) {
    failures.push(`${row.name}, ${row.place}, ${flow}: ${error.message}`);
    return 'no';
  }
}

const pinned = await readFile(here('requirements.txt'), 'utf8');
const packages = { 'aws-amplify 6': 'aws-amplify', 'aws-amplify 5': 'aws-amplify-5', 'AWS CLI': 'awscli' };
const version = (name) => {
  const folder = packages[name] ?? name;
  const [, exact] = new RegExp(`^${folder}==(.*)$`, 'm').exec(pinned) ?? [];
  return exact ?? require(here(`node_modules/${folder}/package.json`)).version;
};

const lines = [
  ['client', 'in', ...FLOWS],
  Array(FLOWS.length + 2).fill('---'),
];
async function play(row) {
  const cells = [];
  for (const flow of FLOWS) cells.push(await cell(row, flow));
  const line = [`${row.name.replace(/ \d+$/, '')} ${version(row.name)}`, row.place, ...cells];
  console.error(line.join(' | '));
  return line;
}
lines.push(...(await Promise.all(rows.map(play))));
await verifyAsCognito();
await browser.close();
site.close();
await server.stop();

const table = `${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}\n`;
console.log(table);
for (const failure of failures) console.error(failure);

const text = await readFile(readme, 'utf8');
const [begin, end] = [text.indexOf(MARKS[0]) + MARKS[0].length, text.indexOf(MARKS[1])];
if (process.argv.includes('--write')) {
  await writeFile(readme, text.slice(0, begin) + table + text.slice(end));
} else if (text.slice(begin, end) !== table) {
  console.error('The table of the README is another one.');
  process.exitCode = 1;
}
if (failures.length > 0) process.exitCode = 1;
const flows = rows.length * FLOWS.length;
console.log(`${flows - failures.length} of ${flows} cells, ${accepted} tokens accepted by aws-jwt-verify`);
