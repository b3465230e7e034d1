/* Stand-in for the global build of @wecom/jssdk, served by the local WeCom.
   Same calls and failures; signatures are really checked against the tickets the API gave out. */
(function () {
  'use strict';
  const origin = new URL(document.currentScript.src).origin;
  const SHELL_MS = 1500; // how long the surrounding client may take to answer before we count as opened elsewhere
  const OPEN_CALLS = ['getContext'];
  const SHELL_CALLS = ['openUserProfile', 'openEnterpriseChat', 'openExistedChatWithMsg', 'updateEnterpriseChat', 'navigateToAddCustomer',
    'navigateToKfChat', 'selectExternalContact', 'shareToExternalContact', 'shareToExternalChat', 'shareToExternalMoments', 'previewFile'];
  let sheltered = false; // whether a client surrounds this page
  let registered = null;
  let config = {};
  let context = { entry: 'normal' };
  let calls = 0;

  function failure(api, reason, code) {
    return { errCode: code === undefined ? -1 : code, errMsg: api + ':fail ' + reason };
  }

  function askShell(call, args) {
    if (window.parent === window) return Promise.resolve({ ok: false, reason: 'no client' });
    const id = ++calls;
    return new Promise(function (resolve) {
      const timer = call === 'hello' ? setTimeout(function () { done({ ok: false, reason: 'no client' }); }, SHELL_MS) : 0;
      function done(answer) {
        clearTimeout(timer);
        window.removeEventListener('message', listen);
        resolve(answer);
      }
      function listen(event) {
        if (event.origin !== origin || !event.data || event.data.sandbox !== 'jssdk' || event.data.id !== id) return;
        done(event.data);
      }
      window.addEventListener('message', listen);
      window.parent.postMessage({ sandbox: 'jssdk', id: id, call: call, args: args || {} }, origin);
    });
  }

  async function checkSignature(kind, signed) {
    const answer = await fetch(origin + '/sandbox/api/jssdk_check', {
      method: 'POST',
      headers: { 'Content-Type': 'text/plain' },
      body: JSON.stringify({
        kind: kind,
        corpId: config.corpId,
        agentId: Number(config.agentId) || 0,
        url: location.href.split('#')[0],
        timestamp: String(signed.timestamp),
        nonceStr: signed.nonceStr,
        signature: signed.signature,
        userid: context.userid || '',
      }),
    });
    return answer.json();
  }

  async function settleOne(kind, getSignature, title) {
    if (!getSignature) return null;
    let result;
    try {
      result = await checkSignature(kind, await getSignature(location.href.split('#')[0]));
    } catch (fault) {
      result = { errcode: -1, errmsg: String((fault && fault.message) || fault) };
    }
    const good = result.errcode === 0;
    const told = good ? { errCode: 0, errMsg: kind + ':ok' } : failure(kind, result.errmsg, result.errcode);
    const react = config['on' + title + (good ? 'Success' : 'Fail')];
    if (react) react(told);
    if (config['on' + title + 'Complete']) config['on' + title + 'Complete'](told);
    return { good: good, permitted: Boolean(result.permitted), told: told };
  }

  function register(options) {
    config = options || {};
    registered = (async function () {
      const hello = await askShell('hello');
      sheltered = hello.ok;
      context = hello.ok ? hello.result : { entry: 'normal' };
      const plain = await settleOne('config', config.getConfigSignature, 'Config');
      const agent = await settleOne('agentConfig', config.getAgentConfigSignature, 'AgentConfig');
      return { plain: plain, agent: agent };
    })();
  }

  function finished(params, promise) {
    const options = params || {};
    promise.then(
      function (value) { if (options.success) options.success(value); if (options.complete) options.complete(value); },
      function (fault) { if (options.fail) options.fail(fault); if (options.complete) options.complete(fault); }
    );
    return promise;
  }

  function api(name, run) {
    return function (params) {
      return finished(params, (async function () {
        if (!registered) throw failure(name, 'no permission');
        const state = await registered;
        const known = state.agent || (OPEN_CALLS.includes(name) ? state.plain : null);
        if (known && !known.good) throw failure(name, known.told.errMsg.split(':fail ')[1], known.told.errCode);
        if (!known || !(config.jsApiList || []).includes(name)) throw failure(name, 'no permission');
        if (!OPEN_CALLS.includes(name) && !state.agent.permitted) throw failure(name, 'no permission');
        const allowed = sheltered ? await askShell('permit', { call: name }) : { ok: true };
        if (!allowed.ok) throw failure(name, allowed.reason);
        return run(name, params || {});
      })());
    };
  }

  async function shellDoes(name, params) {
    const answer = await askShell(name, params);
    if (!answer.ok) throw failure(name, answer.reason);
    return Object.assign({ errCode: 0, errMsg: name + ':ok' }, answer.result || {});
  }

  function inChat(run) {
    return function (name, params) {
      if (!context.external_userid && !context.chat_id) throw failure(name, 'without context of external contact');
      return run(name, params);
    };
  }

  const shellApis = {};
  SHELL_CALLS.forEach(function (name) { shellApis[name] = api(name, shellDoes); });

  window.ww = Object.assign(shellApis, {
    register: register,
    getContext: api('getContext', function () {
      return { errCode: 0, errMsg: 'getContext:ok', entry: context.entry };
    }),
    getCurExternalContact: api('getCurExternalContact', function (name) {
      if (!context.external_userid) throw failure(name, 'without context of external contact');
      return { errCode: 0, errMsg: name + ':ok', userId: context.external_userid };
    }),
    getCurExternalChat: api('getCurExternalChat', function (name) {
      if (!context.chat_id) throw failure(name, 'without context of external contact');
      return { errCode: 0, errMsg: name + ':ok', chatId: context.chat_id };
    }),
    sendChatMessage: api('sendChatMessage', inChat(shellDoes)),
  });
})();
