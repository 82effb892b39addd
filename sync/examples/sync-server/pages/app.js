// The page: two panes, each with a client of its own, and the switch of the trickle.

import { Pane } from '/pane.js';
import { el } from '/pane.js';

const RATES = [[0, 'Off'], [1, '1/s'], [10, '10/s'], [50, '50/s']];

const panes = [['ada', 'Ada'], ['grace', 'Grace']].map(([user, name]) => new Pane(user, name));
document.getElementById('panes').append(...panes.map((pane) => pane.element));

// The rate is a row like any other: both clients hold it, the first one writes it.
const buttons = RATES.map(([rate, text]) => {
  const button = el('button', { type: 'button', 'data-rate': String(rate), 'aria-pressed': 'false' }, text);
  button.addEventListener('click', () => {
    panes[0].client.mutate([{ op: 'update', tableName: 'trickle', value: { id: 1, per_second: rate } }]);
  });
  return button;
});
document.getElementById('trickle').append(...buttons);

function drawRate() {
  const row = [...panes[0].client.rows('trickle').values()][0];
  for (const button of buttons) {
    button.setAttribute('aria-pressed', String(row !== undefined && Number(button.dataset.rate) === row.per_second));
  }
}

panes[0].onDraw = drawRate;
for (const pane of panes) pane.client.connect();
