// 扫一扫: every code and link of the corp, and any code given as a picture or as words.
import { act, get, tell, upload } from './wire.js';
import { button, el, icon, refill } from './draw.js';
import { ask } from './dialog.js';

export async function drawScanner(body, shared, { newcomer, came }) {
  const { codes, links, kf } = await get('codes', { corp: shared.corp });

  async function scan(configId) {
    const answer = await act('scan', { config_id: configId, ...newcomer() });
    if (answer) await came(answer);
  }

  async function openLink(linkId, channel = '') {
    const answer = await act('open_link', { link_id: linkId, customer_channel: channel, ...newcomer() });
    if (answer) await came(answer);
  }

  async function enter(account, more = {}) {
    const answer = await act('kf_enter', { corp: shared.corp, open_kfid: account, ...more, ...newcomer() });
    if (answer) await came({ ...answer, open_kfid: account });
  }

  async function withChannel(link) {
    const given = await ask('打开获客链接', [{ name: 'channel', label: '渠道参数 customer_channel（可空）', value: 'ad_douyin_03' }], '打开');
    if (given) await openLink(link.link_id, given.channel);
  }

  async function follow(read) {
    if (!read) return;
    if (read.kind === 'contact_way' || read.kind === 'join_way') await scan(read.id);
    else if (read.kind === 'link') await openLink(read.id, read.customer_channel);
    else if (read.kind === 'kf') await enter(read.id, { scene: read.scene, scene_param: read.scene_param });
    else if (read.kind === 'url') window.open(read.text, '_blank', 'noopener');
    else tell(`这个码的内容是：${read.text}`);
  }

  shared.readPicture = async (picture) => follow(await upload('read_code', picture));
  const picker = el('input', { type: 'file', accept: 'image/*', hidden: true, 'aria-label': '选择二维码图片' });
  picker.addEventListener('change', async () => {
    const [chosen] = picker.files;
    picker.value = '';
    if (chosen) await shared.readPicture(chosen);
  });
  const paste = async () => {
    const given = await ask('粘贴二维码内容或链接', [{ name: 'text', label: '内容（也可以先复制一张二维码图片，再在这里粘贴）', kind: 'textarea', required: true }], '识别');
    if (given) await follow(await act('read_code', { text: given.text }));
  };
  const row = (picture, name, note, ...buttons) => el('li', {}, picture, el('div', {}, el('b', {}, name),
    el('small', { class: 'quiet' }, note), el('span', { class: 'row' }, ...buttons)));
  const sign = (name) => el('span', { class: 'kind-icon' }, icon(name));

  refill(body,
    el('div', { class: 'scan-tools' }, button('从图片识别', () => picker.click(), { sign: 'upload', 'data-key': 'from-picture' }),
      button('粘贴内容', paste, { sign: 'copy', 'data-key': 'from-text' }), picker),
    codes.length ? null : el('p', { class: 'empty' }, '还没有活码。到后台新建一个渠道活码，它会立刻出现在这里。'),
    el('ul', { class: 'codes' },
      ...codes.map((code) => row(
        el('img', { src: code.qr_code, alt: `二维码 ${code.remark || code.state || code.config_id}`, width: 72, height: 72, loading: 'lazy' }),
        code.remark || code.state || '未命名活码',
        code.kind === 'join_way' ? '群活码' : code.used_up ? '已用完' : code.skip_verify ? '联系我，免验证添加' : '联系我，需员工确认',
        button('扫码', () => scan(code.config_id), { kind: 'primary', 'data-key': code.config_id }),
        el('a', { class: 'button', href: code.scan_url, target: '_blank', rel: 'noopener' }, '打开'))),
      ...links.map((link) => row(sign('link'), link.name, `获客链接，已带来 ${link.customers} 人`,
        button('打开链接', () => withChannel(link), { kind: 'primary', 'data-key': link.link_id }))),
      ...kf.map((one) => row(sign('headset'), one.name, `微信客服，${one.servicers.length} 位接待`,
        button('咨询', () => enter(one.open_kfid), { kind: 'primary', 'data-key': one.open_kfid })))));
}
