/* The one place that speaks to WeCom's JS-SDK. Everything here may hang or be refused, so every call has a limit. */
(function () {
  "use strict";

  var APIS = ["getContext", "getCurExternalContact", "getCurExternalChat", "sendChatMessage", "openEnterpriseChat"];
  var SINGLE = ["single_chat_tools", "contact_profile", "chat_attachment", "single_kf_tools", "chain_single_chat_tools"];
  var SENDING = ["single_chat_tools", "chat_attachment", "single_kf_tools", "chain_single_chat_tools"];
  var GROUP = ["group_chat_tools", "chain_group_chat_tools"];
  var ASK_MS = 6000;
  var SEND_MS = 30000;

  var SENTENCES = [
    [/no permission|permission denied/i, "没有权限：请管理员检查应用的客户联系权限，以及您是否在可见范围内"],
    [/without context of external contact/i, "当前不在客户聊天里，请从聊天工具栏打开"],
    [/invalid imgurl/i, "链接的封面图地址不可用，请换一条或手动发送"],
    [/user not in allow list/i, "您不在这个功能的使用范围内，请联系管理员"],
    [/40093/, "页面签名不正确，请刷新后重试"],
    [/80001/, "这个网址不在应用的可信域名里，请联系管理员"],
    [/85005/, "应用的可信域名还没有验证，请联系管理员"],
    [/40013/, "企业 ID 配置不正确，请联系管理员"],
    [/42012/, "应用凭证用错了，请联系管理员检查侧边栏配置"],
    [/cancel/i, "您取消了发送"],
    [/not (a )?function|not support|not exist|not_implement/i, "企业微信版本过低，请升级后再试"],
    [/timeout/i, "企业微信没有回应，请看一下聊天窗口确认后再试"]
  ];

  var context = { available: false, entry: "normal", externalUser: "", chat: "", fault: "" };
  var refused = null;
  var signatures = {};

  function sentence(error) {
    var said = error ? String(error.errMsg || error.err_msg || error.message || error) : "";
    var text = said + " " + (error && error.errCode !== undefined ? error.errCode : "");
    for (var i = 0; i < SENTENCES.length; i += 1) {
      if (SENTENCES[i][0].test(text)) return SENTENCES[i][1];
    }
    return navigator.onLine === false ? "网络已断开，请恢复后再试" : "企业微信没有接受这次操作，请重试";
  }

  function within(promise, limit) {
    return new Promise(function (resolve, reject) {
      var timer = setTimeout(function () { reject(new Error("timeout")); }, limit);
      promise.then(
        function (value) { clearTimeout(timer); resolve(value); },
        function (error) { clearTimeout(timer); reject(error); }
      );
    });
  }

  function call(name, argument, limit) {
    if (refused) return Promise.reject(refused);
    if (!window.ww || typeof window.ww[name] !== "function") return Promise.reject(new Error("not a function"));
    var stopped = new Promise(function (_, reject) { call.stops.push(reject); });
    return within(Promise.race([window.ww[name](argument || {}), stopped]), limit);
  }
  call.stops = [];

  function stop(error) {
    refused = error || new Error("no permission");
    call.stops.splice(0).forEach(function (reject) { reject(refused); });
  }

  function signed(url) {
    var page = String(url || location.href).split("#")[0];
    if (!signatures[page]) {
      signatures[page] = fetch("/sidebar/api/jssdk?url=" + encodeURIComponent(page), { credentials: "same-origin" })
        .then(function (response) { return response.json(); })
        .then(function (answer) {
          if (!answer.ok) throw new Error(answer.error.message);
          return answer.data;
        });
      signatures[page].catch(function () { delete signatures[page]; });
    }
    return signatures[page];
  }

  function register() {
    var body = document.body.dataset;
    window.ww.register({
      corpId: body.corp,
      agentId: body.agent,
      jsApiList: APIS,
      getConfigSignature: function (url) { return signed(url).then(function (data) { return data.config; }); },
      getAgentConfigSignature: function (url) { return signed(url).then(function (data) { return data.agentConfig; }); },
      onConfigFail: stop,
      onAgentConfigFail: stop
    });
  }

  function isClient() {
    return document.body.dataset.standIn !== undefined || /wxwork|micromessenger/i.test(navigator.userAgent);
  }

  async function start() {
    if (!isClient() || !window.ww || typeof window.ww.register !== "function") return context;
    try {
      register();
      var where = await call("getContext", {}, ASK_MS);
      context.available = true;
      context.entry = where.entry || "normal";
      if (SINGLE.indexOf(context.entry) >= 0) {
        context.externalUser = (await call("getCurExternalContact", {}, ASK_MS)).userId || "";
      } else if (GROUP.indexOf(context.entry) >= 0) {
        context.chat = (await call("getCurExternalChat", {}, ASK_MS)).chatId || "";
      }
    } catch (error) {
      context.fault = sentence(error);
    }
    return context;
  }

  /* whom: {customer} or {chat}. Only the chat that is really open can be written to. */
  function canSend(whom) {
    if (!context.available) return false;
    if (whom.chat) return GROUP.indexOf(context.entry) >= 0 && context.chat === whom.chat;
    return SENDING.indexOf(context.entry) >= 0 && context.externalUser === whom.customer;
  }

  function send(payload) {
    var message = Object.assign({ enterChat: false }, payload);
    return call("sendChatMessage", message, SEND_MS);
  }

  function openChat(whom) {
    var group = { groupName: "", userIds: [], externalUserIds: [], chatId: whom.chat };
    var single = { groupName: "", userIds: [], externalUserIds: [whom.customer] };
    return call("openEnterpriseChat", whom.chat ? group : single, ASK_MS);
  }

  window.Toolbar = { start: start, canSend: canSend, send: send, openChat: openChat, sentence: sentence };
})();
