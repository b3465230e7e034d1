// The demo page: clock, corp, which side shows, and a look every second whether anything has changed.
import { Offline, act, get } from './wire.js';
import { fullTime, option } from './draw.js';
import { startPhone } from './phone.js';
import { startDesk } from './desk.js';
import { loadLog } from './logbook.js';
import { drawFaults, startFaults } from './faults.js';
import { startPlay } from './play.js';

const POLL_MS = 1000;
const corpBox = document.getElementById('corp');
const nowBox = document.getElementById('now');
const phoneTime = document.getElementById('phone-time');
const hourMinute = new Intl.DateTimeFormat('zh-CN', { hour: '2-digit', minute: '2-digit', hour12: false, timeZone: 'Asia/Shanghai' });
let offset = 0;
let state = null;
let seen = '';

const shared = {
  corp: '',
  now: () => Date.now() / 1000 + offset,
  apps: () => state.corps.find((c) => c.corp_id === shared.corp).apps,
  onScanned: (adding) => desk.follow(adding),
  reload: () => refresh(),
  readPicture: () => {},
};
const phone = startPhone(shared);
const desk = startDesk(shared);
const play = startPlay(shared, { phone, desk });

async function loadState() {
  state = await get('state');
  const before = corpBox.value;
  const wanted = state.corps.map((c) => c.corp_id).join();
  if (corpBox.dataset.listed !== wanted) {
    corpBox.dataset.listed = wanted;
    corpBox.replaceChildren(...state.corps.map((c) => option(c.corp_id, c.name)));
    corpBox.value = state.corps.some((c) => c.corp_id === before) ? before : state.corps[0].corp_id;
  }
  document.getElementById('corp-pick').hidden = state.corps.length < 2;
  shared.corp = corpBox.value;
}

async function refresh() {
  await loadState();
  await Promise.all([phone.load(), desk.load(), loadLog()]);
}

async function poll() {
  try {
    const pulse = await get('pulse');
    offset = pulse.now - Date.now() / 1000;
    const mark = `${pulse.version}.${pulse.last_call}.${pulse.waiting_callbacks}`;
    drawFaults(pulse.faults);
    if (mark !== seen) {
      const first = seen.split('.')[0];
      seen = mark;
      if (first === String(pulse.version)) await loadLog();
      else await refresh();
    }
    await play.draw(pulse.play);
  } catch (fault) {
    if (!(fault instanceof Offline)) console.error(fault);
    nowBox.textContent = '连接中断，正在重试';
  }
  setTimeout(poll, POLL_MS);
}

function tick() {
  nowBox.textContent = fullTime(shared.now());
  phoneTime.textContent = hourMinute.format(new Date(shared.now() * 1000));
}

function look(side) {
  document.body.dataset.view = side;
  for (const one of document.querySelectorAll('.views button')) one.setAttribute('aria-pressed', String(one.dataset.view === side));
}

const advance = async (seconds) => {
  const answer = await act('clock', { advance_seconds: seconds });
  if (answer) { offset = answer.now - Date.now() / 1000; tick(); }
};
document.getElementById('plus-hour').addEventListener('click', () => advance(3600));
document.getElementById('plus-day').addEventListener('click', () => advance(86400));
for (const one of document.querySelectorAll('.views button')) one.addEventListener('click', () => look(one.dataset.view));
corpBox.addEventListener('change', async () => {
  shared.corp = corpBox.value;
  document.getElementById('staff').replaceChildren();
  await desk.loadStaff();
  await refresh();
});
startFaults(shared);

await loadState();
await phone.load();
await desk.loadStaff();
setInterval(tick, 1000);
tick();
poll();
