'use strict';
// The scrubber: one time for the pictures and for all plots. Everything it shows is in the page.
const data = JSON.parse(document.getElementById('data').textContent);
const $ = (id) => document.getElementById(id);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const COLOURS = ['--accent', '--bad', '--good', '--second', '--third'];
const STEP = 1 / 60;
const state = { run: 0, at: 0, from: 0, to: 1, playing: false };
const tracks = [];

const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
const run = () => data.runs[state.run];
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

// The last index whose value is at or below x, in sorted values.
function before(values, x) {
  let low = 0, high = values.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (values[middle] <= x) low = middle; else high = middle - 1;
  }
  return low;
}

function fit(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== width || canvas.height !== height) { canvas.width = width; canvas.height = height; }
  const pen = canvas.getContext('2d');
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  return pen;
}

function picture(id, jpeg) {
  const image = $(id), source = jpeg ? 'data:image/jpeg;base64,' + jpeg : '';
  if (image.getAttribute('src') !== source) image.setAttribute('src', source);
  image.nextElementSibling.nextElementSibling.hidden = Boolean(jpeg);
}

function drawMask(subset) {
  const canvas = $('mask'), pen = fit(canvas), cell = canvas.clientWidth / data.grid;
  const kept = new Set(subset);
  for (let place = 0; place < data.grid * data.grid; place++) {
    const x = (place % data.grid) * cell, y = Math.floor(place / data.grid) * cell;
    if (kept.has(place)) {
      pen.strokeStyle = '#fff'; pen.lineWidth = 1.5;
      pen.strokeRect(x + 1, y + 1, cell - 2, cell - 2);
    } else {
      pen.fillStyle = 'rgb(18 20 24 / 58%)';
      pen.fillRect(x, y, cell + .6, cell + .6);
    }
  }
}

function drawWrong(wrong) {
  const canvas = $('wrong'), pen = fit(canvas), cell = canvas.clientWidth / data.grid;
  if (!wrong) return;
  bytes(wrong).forEach((value, place) => {
    pen.fillStyle = `rgb(220 50 40 / ${(0.7 * (value / 255) ** 1.5).toFixed(3)})`;
    pen.fillRect((place % data.grid) * cell, Math.floor(place / data.grid) * cell, cell + .6, cell + .6);
  });
}

function drawCommands(i) {
  const canvas = $('commands'), pen = fit(canvas), size = canvas.clientWidth, names = data.names;
  const planned = run().planned, recorded = run().recorded;
  pen.font = '12px system-ui, sans-serif'; pen.lineCap = 'round';
  if (names.length === 2) {
    // The first command upwards and the second to the left, as a robot sees x and y, or a turn.
    const middle = size / 2, reach = size * .34;
    pen.strokeStyle = css('--line'); pen.lineWidth = 1;
    pen.strokeRect(middle - reach, middle - reach, 2 * reach, 2 * reach);
    pen.beginPath(); pen.moveTo(middle, middle - reach); pen.lineTo(middle, middle + reach);
    pen.moveTo(middle - reach, middle); pen.lineTo(middle + reach, middle); pen.stroke();
    pen.fillStyle = css('--soft'); pen.textAlign = 'center';
    pen.fillText(names[0], middle, middle - reach - 5);
    pen.save(); pen.translate(middle - reach - 6, middle); pen.rotate(-Math.PI / 2); pen.fillText(names[1], 0, 0); pen.restore();
    for (const [values, colour, width] of [[recorded, '--soft', 5], [planned, '--accent', 3]]) {
      const x = middle - reach * values[1][i], y = middle - reach * values[0][i];
      pen.strokeStyle = pen.fillStyle = css(colour); pen.lineWidth = width;
      pen.beginPath(); pen.moveTo(middle, middle); pen.lineTo(x, y); pen.stroke();
      pen.beginPath(); pen.arc(x, y, width + 1.5, 0, 7); pen.fill();
    }
    return;
  }
  names.forEach((name, number) => {
    const y = (number + .5) * size / names.length, middle = size / 2;
    pen.fillStyle = css('--soft'); pen.textAlign = 'center'; pen.fillText(name, middle, y - 16);
    [[recorded, '--soft', -4], [planned, '--accent', 6]].forEach(([values, colour, shift]) => {
      pen.strokeStyle = css(colour); pen.lineWidth = 6; pen.beginPath();
      pen.moveTo(middle, y + shift); pen.lineTo(middle + size * .42 * values[number][i], y + shift); pen.stroke();
    });
  });
}

// Few points: lines. Many: what lies between the lowest and the highest value of each pixel column.
function drawLine(pen, values, colour, width, x, y) {
  const times = run().time, first = before(times, state.from), last = Math.min(times.length - 1, before(times, state.to) + 1);
  pen.strokeStyle = css(colour); pen.lineWidth = 1.6; pen.lineJoin = 'round'; pen.beginPath();
  if (last - first < 3 * width) {
    let broken = true;
    for (let i = first; i <= last; i++) {
      if (values[i] === null) { broken = true; continue; }
      if (i > first && times[i] - times[i - 1] > data.gap) broken = true;
      if (broken) { pen.moveTo(x(times[i]), y(values[i])); pen.lineTo(x(times[i]) + .1, y(values[i])); } else pen.lineTo(x(times[i]), y(values[i]));
      broken = false;
    }
  } else {
    let column = -1, low = 0, high = 0;
    for (let i = first; i <= last; i++) {
      if (values[i] === null) continue;
      const here = Math.floor(x(times[i]));
      if (here !== column) {
        if (column >= 0) { pen.moveTo(column, y(low) + .6); pen.lineTo(column, y(high) - .6); }
        column = here; low = high = values[i];
      }
      low = Math.min(low, values[i]); high = Math.max(high, values[i]);
    }
    pen.moveTo(column, y(low) + .6); pen.lineTo(column, y(high) - .6);
  }
  pen.stroke();
}

function drawTrack(track) {
  const canvas = track.canvas, pen = fit(canvas), width = canvas.clientWidth, height = canvas.clientHeight;
  const lines = track.lines(run());
  const [low, high] = track.range(run());
  const x = (t) => (t - state.from) / (state.to - state.from) * width;
  const y = (v) => 4 + (1 - (clamp(v, low, high) - low) / (high - low)) * (height - 20);
  pen.strokeStyle = css('--line'); pen.lineWidth = 1;
  for (const level of track.levels(run())) { pen.beginPath(); pen.moveTo(0, y(level)); pen.lineTo(width, y(level)); pen.stroke(); }
  if (track.limit) {
    pen.setLineDash([5, 4]); pen.strokeStyle = css('--ink'); pen.beginPath();
    pen.moveTo(0, y(track.limit(run()))); pen.lineTo(width, y(track.limit(run()))); pen.stroke(); pen.setLineDash([]);
  }
  lines.forEach((line) => drawLine(pen, line.values, line.colour, width, x, y));
  pen.fillStyle = css('--soft'); pen.font = '11px system-ui, sans-serif';
  pen.textAlign = 'left'; pen.fillText(state.from.toFixed(1) + ' s', 0, height - 2);
  pen.textAlign = 'right'; pen.fillText(state.to.toFixed(1) + ' s', width, height - 2);
  pen.textAlign = 'left';
  for (const level of track.limit ? [track.limit(run())] : track.levels(run())) pen.fillText(level, 2, Math.max(10, y(level) - 3));
  const now = x(run().time[state.at]);
  pen.strokeStyle = css('--ink'); pen.lineWidth = 1.2; pen.beginPath(); pen.moveTo(now, 0); pen.lineTo(now, height - 14); pen.stroke();
  track.canvas.dataset.at = now.toFixed(2);
}

function show() {
  const r = run(), i = state.at, empty = !r.time.length;
  $('scrub').max = Math.max(0, r.time.length - 1); $('scrub').value = i;
  if (empty) { $('now').textContent = 'no cycles'; return; }
  const shown = data.pictures[r.bag], near = before(shown.map((p) => p.picture), r.picture[i]), p = shown[near];
  picture('frame', p.jpeg); picture('imagined', p.imagined); picture('later', p.later);
  $('frame').dataset.picture = p.picture;
  drawMask(r.subset[i]); drawWrong(p.wrong); drawCommands(i);
  $('now').textContent = `${r.time[i].toFixed(1)} s, cycle ${i + 1} of ${r.time.length}`;
  $('tokens').textContent = `${r.subset[i].length} of ${data.grid * data.grid} tokens`;
  tracks.forEach(drawTrack);
}

function go(i) {
  const times = run().time;
  state.at = clamp(Math.round(i), 0, Math.max(0, times.length - 1));
  // What is looked at stays in sight.
  if (times.length && (times[state.at] < state.from || times[state.at] > state.to)) look(times[state.at], (state.to - state.from) / 2);
  show();
}

// Shows as much before a time as is said, and as much of all as before.
function look(t, ahead) {
  const end = Math.max(1, run().time[run().time.length - 1] || 1), span = state.to - state.from;
  state.from = clamp(t - ahead, 0, end - span); state.to = state.from + span;
}

function choose(number) {
  state.run = number;
  const times = run().time;
  state.from = 0; state.to = Math.max(1, times.length ? times[times.length - 1] : 1);
  // Where there is something to see in every picture.
  const seen = new Set(data.pictures[run().bag].filter((p) => p.imagined).map((p) => p.picture));
  go(Math.max(0, run().picture.findIndex((p) => seen.has(p))));
}

function addTrack(name, legend, lines, range, levels, limit, unit) {
  const box = document.createElement('div');
  box.className = 'track';
  const title = document.createElement('h3'), canvas = document.createElement('canvas'), tip = document.createElement('div');
  title.append(name);
  legend.forEach(([text, colour]) => { const i = document.createElement('i'); i.textContent = text; i.style.setProperty('--swatch', `var(${colour})`); title.append(i); });
  tip.className = 'tip'; tip.hidden = true;
  box.append(title, canvas, tip); $('tracks').append(box);
  const track = { canvas, lines, range, levels, limit };
  tracks.push(track);
  const under = (event) => {
    const box = canvas.getBoundingClientRect();
    return state.from + (event.clientX - box.left) / box.width * (state.to - state.from);
  };
  const nearest = (t) => { const a = before(run().time, t), times = run().time; return a + 1 < times.length && times[a + 1] - t < t - times[a] ? a + 1 : a; };
  canvas.addEventListener('pointermove', (event) => {
    if (!run().time.length) return;
    const i = nearest(under(event));
    tip.textContent = `${run().time[i].toFixed(2)} s: ` + lines(run()).map((l) => `${l.name} ${l.values[i] === null ? 'none' : l.values[i].toFixed(unit === 'ms' ? 1 : 2)}`).join(', ') + (unit === 'ms' ? ' ms' : '');
    tip.hidden = false;
    tip.style.left = clamp(event.offsetX, tip.offsetWidth / 2, canvas.clientWidth - tip.offsetWidth / 2) + 'px';
    if (event.buttons) go(i);
  });
  canvas.addEventListener('pointerdown', (event) => go(nearest(under(event))));
  canvas.addEventListener('pointerleave', () => { tip.hidden = true; });
  canvas.addEventListener('wheel', (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    zoom(under(event), (event.deltaY || event.deltaX) > 0 ? 1.25 : 0.8);
  }, { passive: false });
  canvas.addEventListener('dblclick', () => zoom(run().time[state.at], 1e9));
}

function zoom(t, factor) {
  const times = run().time;
  if (!times.length) return;
  const end = Math.max(1, times[times.length - 1]);
  const span = clamp((state.to - state.from) * factor, 1, end);
  const share = (t - state.from) / (state.to - state.from);
  state.to = state.from + span;
  look(t, share * span);
  tracks.forEach(drawTrack);
}

function play() {
  if (!state.playing) return;
  const times = run().time;
  if (state.at + 1 >= times.length) { toggle(); return; }
  const wait = clamp(times[state.at + 1] - times[state.at], STEP, .5);
  setTimeout(() => { if (state.playing) { go(state.at + 1); play(); } }, 1000 * wait);
}

function toggle() { state.playing = !state.playing; $('play').textContent = state.playing ? 'Pause' : 'Play'; play(); }

if (data.runs.length) {
  if (data.runs.some((r) => r.clock)) addTrack('Time of a plan, ms', [['whole', '--accent'], ['encoding', '--good'], ['budget', '--ink']],
    (r) => [{ name: 'whole', values: r.total, colour: '--accent' }, { name: 'encoding', values: r.encode, colour: '--good' }],
    (r) => [0, Math.max(1.3 * r.budget, 1.1 * r.p99)], () => [0], (r) => r.budget, 'ms');
  data.names.forEach((name, number) => addTrack(`${name}, of its limit`, [['planned', '--accent'], ['recorded', '--soft']],
    (r) => [{ name: 'recorded', values: r.recorded[number], colour: '--soft' }, { name: 'planned', values: r.planned[number], colour: '--accent' }],
    () => [-1.05, 1.05], () => [-1, 0, 1]));
  addTrack('Agreement of direction', [['cosine', '--third']],
    (r) => [{ name: 'cosine', values: r.direction, colour: '--third' }], () => [-1.05, 1.05], () => [-1, 0, 1]);
  data.runs.forEach((r, number) => { const o = document.createElement('option'); o.value = number; o.textContent = r.name; $('run').append(o); });
  $('run').hidden = data.runs.length < 2;
  $('run').addEventListener('change', () => choose(Number($('run').value)));
  $('scrub').addEventListener('input', () => go(Number($('scrub').value)));
  $('play').addEventListener('click', toggle);
  for (const [id, factor] of [['nearer', 0.5], ['farther', 2]]) $(id).addEventListener('click', () => zoom(run().time[state.at], factor));
  new ResizeObserver(show).observe($('tracks'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
  choose(0);
}
document.documentElement.dataset.ready = 'yes';
