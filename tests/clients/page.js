// The page: the clients that people use in a browser, bundled with nothing in between.
import * as amplify5 from './clients/amplify-5.js';
import * as amplify6 from './clients/amplify-6.js';
import * as identity from './clients/identity-js.js';
import { fails, same } from './expect.js';

const clients = [amplify6, amplify5, identity];

// Phone and administrator stand outside: `code` and the others are given by whoever opens the page.
window.run = (name, flow, context) => {
  const { code, wrongCode, admin, remove, wait } = window;
  const client = clients.find((client) => client.name === name);
  const world = { ...context, code, wrongCode, remove, wait, same, fails };
  world.admin = async (operation, members) => {
    const told = await admin(operation, members);
    if (told.refused) throw Object.assign(new Error(told.refused), { name: told.refused });
    return told.answer;
  };
  return client.flows(world)[flow]({ ...context, remove });
};
