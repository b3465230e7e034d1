// 故障: what may go wrong, switched on from a list; a chip for each rule in force takes it off again.
import { act, post, send, tell } from './wire.js';
import { button, el, icon } from './draw.js';
import { ask } from './dialog.js';

const strip = document.getElementById('fault-strip');
const JSSDK = ['no permission', 'without context of external contact', 'invalid imgUrl', 'user not in allow list', 'cancel', 'invalid signature'];
const presets = [
  ['slow', '接口变慢 2 秒', { match: '', kind: 'latency', ms: 2000 }],
  ['http_500', '接口返回 HTTP 500', { match: '', kind: 'http_500' }],
  ['busy', '接口返回 -1 系统繁忙', { match: '', kind: 'busy' }],
  ['quota', '接口额度用尽 45009', { match: '', kind: 'errcode', code: 45009 }],
  ['drop_after', '做完了但不回答（断线）', { match: '', kind: 'drop_after' }],
  ['drop_before', '没做就断线', { match: '', kind: 'drop_before' }],
  ['repeat', '回调重复投递 3 次', { match: 'callback', kind: 'repeat', n: 2 }],
  ['shuffle', '回调乱序', { match: 'callback', kind: 'shuffle', ms: 1500 }],
  ['delay', '回调迟到 5 秒', { match: 'callback', kind: 'delay', ms: 5000 }],
  ['unreachable', '回调地址连不上', { match: 'callback', kind: 'unreachable' }],
  ['lost', '回调丢失', { match: 'callback', kind: 'drop_before' }],
  ['jssdk', 'JS-SDK 调用失败', { match: 'jssdk', kind: 'fail' }],
];
const once = [['token', '令牌立即过期'], ['links', '获客链接额度清零'], ['links_back', '获客链接额度恢复 1000']];
let drawn = '';

function named(rule) {
  const found = presets.find(([, , spec]) => spec.kind === rule.kind && rule.match.startsWith(spec.match) && (spec.match !== '' || !/^(callback|jssdk)/.test(rule.match)));
  const scope = rule.match && !['callback', 'jssdk'].includes(rule.match) ? `（${rule.match}）` : '';
  const reason = rule.kind === 'fail' ? `：${rule.reason}` : '';
  const left = rule.times === null ? '' : `，剩 ${Math.max(rule.times - rule.fired, 0)} 次`;
  return `${found ? found[1] : rule.kind}${reason}${scope}${left}`;
}

/** A chip for each rule in force. */
export function drawFaults(rules) {
  const mark = JSON.stringify(rules);
  if (mark === drawn) return;
  drawn = mark;
  strip.hidden = !rules.length;
  const chips = rules.map((rule) =>
    button(named(rule), () => send('DELETE', `faults/${rule.id}`), { kind: 'fault-chip', sign: 'x', 'aria-label': `关闭：${named(rule)}` }));
  if (rules.length > 1) chips.push(button('全部关闭', () => send('DELETE', 'faults')));
  strip.replaceChildren(el('b', {}, icon('zap'), ' 故障中'), ...chips);
}

async function strike(shared, given) {
  for (const key of given.rules) {
    const [, , spec] = presets.find(([name]) => name === key);
    const narrowed = spec.match === '' ? { match: given.match.trim() } : {};
    const times = Number(given.times) > 0 ? { times: Number(given.times) } : {};
    await post('faults', { ...spec, ...narrowed, ...times, ...(key === 'jssdk' ? { reason: given.reason } : {}) });
  }
  for (const key of given.once) {
    if (key === 'token' && await act('token/revoke', { corp: shared.corp })) tell('令牌已过期，下一次调用会得到 42001');
    if (key === 'links') await act('link_balance', { corp: shared.corp, balance: 0 });
    if (key === 'links_back') await act('link_balance', { corp: shared.corp, balance: 1000 });
  }
}

export function startFaults(shared) {
  document.getElementById('faults').addEventListener('click', async () => {
    const given = await ask('制造故障', [
      { name: 'rules', kind: 'choices', label: '一直生效，直到在顶部关掉', options: presets.map(([key, words]) => [key, words]) },
      { name: 'match', label: '只对以此开头的接口（可空）', hint: 'externalcontact/' },
      { name: 'times', label: '发生几次后自动停止（0 为不停）', kind: 'number', value: 0 },
      { name: 'reason', label: 'JS-SDK 的错误名', kind: 'select', value: JSSDK[0], options: JSSDK.map((name) => [name, name]) },
      { name: 'once', kind: 'choices', label: '马上发生一次', options: once },
    ], '开始');
    if (given) await strike(shared, given);
  });
}
