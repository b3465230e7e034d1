// The page behind a QR code: choose who you are, then add.
import { get, post } from './wire.js';
import { el, option } from './draw.js';

const form = document.getElementById('scan-form');
if (form) {
  const who = document.getElementById('scan-customer');
  const nameRow = document.getElementById('scan-name-row');
  const { customers } = await get('customers', { limit: 200 });
  who.append(option('', '新客户'), ...customers.map((c) => option(c.person_id, c.name)));
  const showName = () => { nameRow.hidden = who.value !== ''; };
  who.addEventListener('change', showName);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const result = document.getElementById('scan-result');
    const { config, kind } = document.getElementById('scan').dataset;
    const path = { link: 'open_link', kf: 'kf_enter' }[kind] || 'scan';
    const query = new URLSearchParams(location.search);
    const answer = await post(path, {
      config_id: config,
      link_id: config,
      open_kfid: config,
      customer_channel: query.get('customer_channel') || '',
      scene: query.get('enc_scene') || '',
      scene_param: query.get('scene_param') || '',
      customer: who.value,
      name: document.getElementById('scan-name').value,
    });
    const words = { added: '已添加', half: '已添加，等待对方回应', requested: '已发送申请，等待对方确认', already: '你们已经是好友', joined: '已加入群聊' };
    const told = words[answer.happened] || '已进入客服会话，请在演示页的手机上继续';
    result.replaceChildren(el('b', {}, answer.ok ? told : answer.error.message));
    if (answer.ok && who.value === '') {
      who.append(option(answer.person_id, document.getElementById('scan-name').value));
      who.value = answer.person_id;
      showName();
    }
  });
  form.querySelector('button').disabled = false;
}
