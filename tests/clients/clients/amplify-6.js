// aws-amplify 6, by its defaults: SRP, and tokens that it refreshes by itself.
import { Amplify } from 'aws-amplify';
import {
  confirmSignIn,
  confirmSignUp,
  fetchAuthSession,
  fetchMFAPreference,
  fetchUserAttributes,
  setUpTOTP,
  signIn,
  signOut,
  signUp,
  updateMFAPreference,
  verifyTOTPSetup,
} from 'aws-amplify/auth';

export const name = 'aws-amplify 6';
export const signsInBy = 'SRP';

export function flows({ endpoint, password, username, code, wrongCode, admin, wait, same, fails }) {
  const use = ({ pool, client }) =>
    Amplify.configure({
      Auth: { Cognito: { userPoolId: pool, userPoolClientId: client, userPoolEndpoint: endpoint } },
    });

  async function tokens() {
    const { accessToken, idToken } = (await fetchAuthSession()).tokens;
    return { access: accessToken.toString(), id: idToken.toString() };
  }

  const begin = async (step) => {
    const { nextStep } = await signIn({ username, password });
    same(nextStep.signInStep, step);
    return nextStep;
  };

  const finish = async (challengeResponse) =>
    same((await confirmSignIn({ challengeResponse })).nextStep.signInStep, 'DONE');

  async function enrol(ahead) {
    const { totpSetupDetails } = await begin('CONTINUE_SIGN_IN_WITH_TOTP_SETUP');
    await finish(await code(totpSetupDetails.sharedSecret, ahead));
    return totpSetupDetails.sharedSecret;
  }

  return {
    async 'sign-up'({ optional }) {
      use(optional);
      const options = { userAttributes: { email: `${username}@example.org` } };
      const { nextStep } = await signUp({ username, password, options });
      same(nextStep.signUpStep, 'CONFIRM_SIGN_UP');
      const confirmed = await confirmSignUp({ username, confirmationCode: '123456' });
      same(confirmed.nextStep.signUpStep, 'DONE');
      await begin('DONE');
    },
    async 'sign-in'({ optional }) {
      use(optional);
      await fails(signIn({ username, password: `${password}.` }), 'NotAuthorizedException');
      await begin('DONE');
      return tokens();
    },
    async 'MFA_SETUP by session'({ required }) {
      use(required);
      await enrol(0);
      return tokens();
    },
    async 'code, a wrong one first'({ required }) {
      use(required);
      const secret = await enrol(0);
      await signOut();
      await begin('CONFIRM_SIGN_IN_WITH_TOTP_CODE');
      await fails(confirmSignIn({ challengeResponse: await wrongCode(secret) }), 'CodeMismatchException');
      await finish(await code(secret, 1));
      return tokens();
    },
    async 'preference'({ optional }) {
      use(optional);
      await begin('DONE');
      const { sharedSecret } = await setUpTOTP();
      await verifyTOTPSetup({ code: await code(sharedSecret, 0) });
      await updateMFAPreference({ totp: 'PREFERRED' });
      same((await fetchMFAPreference()).preferred, 'TOTP');
      await signOut();
      await begin('CONFIRM_SIGN_IN_WITH_TOTP_CODE');
      await finish(await code(sharedSecret, 1));
      await updateMFAPreference({ totp: 'DISABLED' });
      await signOut();
      await begin('DONE');
      return tokens();
    },
    async 'refresh after expiry'({ short }) {
      use(short);
      await begin('DONE');
      const before = await tokens();
      await wait();
      const after = await tokens();
      if (before.access === after.access) throw new Error('the same access token');
      await fetchUserAttributes();
      return after;
    },
    async 'sign-out'({ optional }) {
      use(optional);
      await begin('DONE');
      const { access } = await tokens();
      await signOut({ global: true });
      same((await fetchAuthSession()).tokens, undefined);
      await fails(admin('GetUser', { AccessToken: access }), 'NotAuthorizedException');
    },
    async 'lost phone'({ required, remove }) {
      use(required);
      await enrol(0);
      await signOut();
      await remove(username);
      await enrol(0);
      return tokens();
    },
  };
}
