/* A stand-in for @wecom/jssdk in tests. window.__chat says where the page is; window.__sent is what went out. */
window.__sent = [];
window.__asked = [];
(function () {
  var chat = window.__chat || { entry: "normal" };
  function refuse(name) { return Promise.reject({ errMsg: name + ":fail " + chat.fail[name], errCode: 1 }); }
  function answer(name, value) {
    window.__asked.push(name);
    if (chat.fail && chat.fail[name]) return refuse(name);
    if (chat.hang === name) return new Promise(function () {});
    return new Promise(function (resolve) { setTimeout(function () { resolve(value); }, chat.delay || 0); });
  }
  window.ww = {
    register: function (options) {
      window.__registered = options.jsApiList;
      Promise.all([options.getConfigSignature(location.href), options.getAgentConfigSignature(location.href)]).then(
        function (both) {
          window.__signatures = both;
          if (chat.refuseConfig) options.onAgentConfigFail({ errMsg: "agentConfig:fail 40093", errCode: 40093 });
        }
      );
    },
    getContext: function () { return answer("getContext", { entry: chat.entry }); },
    getCurExternalContact: function () { return answer("getCurExternalContact", { userId: chat.userId }); },
    getCurExternalChat: function () { return answer("getCurExternalChat", { chatId: chat.chatId }); },
    openEnterpriseChat: function (options) { window.__opened = options; return answer("openEnterpriseChat", {}); },
    sendChatMessage: function (message) {
      return answer("sendChatMessage", {}).then(function () { window.__sent.push(message); });
    }
  };
})();
