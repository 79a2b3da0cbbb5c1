const SHADES = [' ', '░', '▒', '▓', '█'];

/** Pixels in [0, 1], row by row, as characters; two columns a pixel make it square. */
export function drawImage(pixels, width) {
  const lines = [];
  for (let start = 0; start < pixels.length; start += width) {
    const row = Array.from(pixels.slice(start, start + width), (v) => SHADES[Math.min(4, Math.floor(v * 5))].repeat(2));
    lines.push(row.join('').trimEnd());
  }
  return lines.join('\n');
}

/** One line a class, with a bar, the most probable one marked. */
export function probabilityTable(probabilities) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  return Array.from(probabilities, (p, i) => {
    const bar = '█'.repeat(Math.round(p * 40));
    return `${String(i).padStart(3)}  ${(100 * p).toFixed(1).padStart(5)} %  ${bar}${i === best ? '  ←' : ''}`.trimEnd();
  }).join('\n');
}

/** Rows are labels, columns predictions. */
export function confusionTable(matrix) {
  const width = Math.max(...matrix.flat().map((n) => String(n).length), String(matrix.length - 1).length) + 1;
  const cell = (x) => String(x).padStart(width);
  const header = `label\\predicted${matrix.map((_, i) => cell(i)).join('')}   recall`;
  const rows = matrix.map((row, i) => {
    const total = row.reduce((a, b) => a + b, 0);
    const recall = total === 0 ? '-' : `${((100 * row[i]) / total).toFixed(1)} %`;
    return String(i).padStart(15) + row.map((n) => cell(n === 0 ? '·' : n)).join('') + recall.padStart(9);
  });
  return [header, ...rows].join('\n');
}
