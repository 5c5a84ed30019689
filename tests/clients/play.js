// One flow by one client in a Node of its own: `play.js MODULE FLOW`, the world as JSON on standard input. Prints the
// tokens that the client has at the end.
import { text } from 'node:stream/consumers';
import { fails, same } from './expect.js';
import { call, code, wrongCode } from './world.js';

const [module, flow] = process.argv.slice(2);
const world = JSON.parse(await text(process.stdin));
const { flows } = await import(module);

const admin = (operation, members) => call(world.endpoint, operation, members);
const wait = () => new Promise((ready) => setTimeout(ready, 1000 * world.expiry));
const remove = () => admin(...world.remove);
const outside = { admin, code, wrongCode, wait, same, fails };
const tokens = await flows({ ...world, ...outside })[flow]({ ...world, remove });
process.stdout.write(JSON.stringify(tokens ?? {}));
// Some clients leave timers behind.
process.exit();
