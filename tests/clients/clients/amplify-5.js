// aws-amplify 5, by its defaults.
import { Amplify, Auth } from 'aws-amplify-5';

export const name = 'aws-amplify 5';
export const signsInBy = 'SRP';

export function flows({ endpoint, region, password, username, code, wrongCode, admin, wait, same, fails }) {
  const use = ({ pool, client }) =>
    Amplify.configure({
      Auth: { region, userPoolId: pool, userPoolWebClientId: client, endpoint },
    });

  async function tokens() {
    const session = await Auth.currentSession();
    return { access: session.getAccessToken().getJwtToken(), id: session.getIdToken().getJwtToken() };
  }

  const begin = async (challenge) => {
    const user = await Auth.signIn(username, password);
    same(user.challengeName, challenge);
    return user;
  };

  async function enrol() {
    const user = await begin('MFA_SETUP');
    const secret = await Auth.setupTOTP(user);
    await Auth.verifyTotpToken(user, await code(secret, 0));
    return secret;
  }

  return {
    async 'sign-up'({ optional }) {
      use(optional);
      await Auth.signUp({ username, password, attributes: { email: `${username}@example.org` } });
      same(await Auth.confirmSignUp(username, '123456'), 'SUCCESS');
      await begin(undefined);
    },
    async 'sign-in'({ optional }) {
      use(optional);
      await fails(Auth.signIn(username, `${password}.`), 'NotAuthorizedException');
      await begin(undefined);
      return tokens();
    },
    async 'MFA_SETUP by session'({ required }) {
      use(required);
      await enrol();
      return tokens();
    },
    async 'code, a wrong one first'({ required }) {
      use(required);
      const secret = await enrol();
      await Auth.signOut();
      const user = await begin('SOFTWARE_TOKEN_MFA');
      const answer = async (given) => Auth.confirmSignIn(user, given, 'SOFTWARE_TOKEN_MFA');
      await fails(answer(await wrongCode(secret)), 'CodeMismatchException');
      await answer(await code(secret, 1));
      return tokens();
    },
    async 'preference'({ optional }) {
      use(optional);
      const user = await begin(undefined);
      const secret = await Auth.setupTOTP(user);
      await Auth.verifyTotpToken(user, await code(secret, 0));
      await Auth.setPreferredMFA(user, 'TOTP');
      same(await Auth.getPreferredMFA(user, { bypassCache: true }), 'SOFTWARE_TOKEN_MFA');
      await Auth.signOut();
      const challenged = await begin('SOFTWARE_TOKEN_MFA');
      await Auth.confirmSignIn(challenged, await code(secret, 1), 'SOFTWARE_TOKEN_MFA');
      await Auth.setPreferredMFA(await Auth.currentAuthenticatedUser(), 'NOMFA');
      await Auth.signOut();
      await begin(undefined);
      return tokens();
    },
    async 'refresh after expiry'({ short }) {
      use(short);
      await begin(undefined);
      const before = await tokens();
      await wait();
      const after = await tokens();
      if (before.access === after.access) throw new Error('the same access token');
      await Auth.userAttributes(await Auth.currentAuthenticatedUser());
      return after;
    },
    async 'sign-out'({ optional }) {
      use(optional);
      await begin(undefined);
      const { access } = await tokens();
      await Auth.signOut({ global: true });
      await fails(admin('GetUser', { AccessToken: access }), 'NotAuthorizedException');
      try {
        await Auth.currentSession();
      } catch {
        return undefined;
      }
      throw new Error('still signed in');
    },
    async 'lost phone'({ required, remove }) {
      use(required);
      await enrol();
      await Auth.signOut();
      await remove(username);
      await enrol();
      return tokens();
    },
  };
}
