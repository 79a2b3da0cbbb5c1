import { DataError, OptionError } from '../core.js';
import { checkList, checkOptions, isIterable, shown, wholeNumber } from '../options.js';
import { StateReader, type TransformerState } from './state.js';
import type { Table } from './table.js';

export interface BagOfWordsOptions {
  /** Most words of the vocabulary, the most frequent ones; default all. */
  readonly maxFeatures?: number;
  /** Texts a word must be in; default 1. */
  readonly minTexts?: number;
  /** 'count' (default), 'binary': 1 for a word that is there, 'tfidf': counts × rarity, rows of length 1. */
  readonly weighting?: 'count' | 'binary' | 'tfidf';
}

/** Runs of two or more letters, digits and underscores, in lower case. */
const WORD = /[\p{L}\p{N}_]{2,}/gu;
const WEIGHTINGS = ['count', 'binary', 'tfidf'];

/**
 * Texts as counts of words: column j is how often word j of the vocabulary occurs. The vocabulary, in alphabetical order, is
 * learnt from the training texts; other words count nothing. `tfidf` multiplies by ln((1 + n) / (1 + n_j)) + 1, where n_j of
 * the n texts have the word, and divides each row by its length.
 *
 * @param options `maxFeatures`, `minTexts`, `weighting`.
 * @throws OptionError for options.
 * @example
 * const words = await new preprocess.BagOfWords({ maxFeatures: 2000, weighting: 'tfidf' }).fit(texts);
 * words.transform(['free money']); // { data: Float32Array, shape: [1, 2000] }
 * @see scikit-learn, CountVectorizer and TfidfVectorizer. Spärck Jones (1972), A statistical interpretation of term specificity.
 */
export class BagOfWords {
  /** The words, position = column. */
  vocabulary: readonly string[] = [];
  readonly #options: Required<BagOfWordsOptions>;
  #index = new Map<string, number>();
  #rarity: Float64Array = new Float64Array(0);

  constructor(options: BagOfWordsOptions = {}) {
    checkOptions('BagOfWords', options, ['maxFeatures', 'minTexts', 'weighting']);
    const { maxFeatures = Number.MAX_SAFE_INTEGER, minTexts = 1, weighting = 'count' } = options;
    wholeNumber('BagOfWords: maxFeatures', maxFeatures, 1);
    wholeNumber('BagOfWords: minTexts', minTexts, 1);
    if (!WEIGHTINGS.includes(weighting)) {
      throw new OptionError(`BagOfWords: weighting is ${String(weighting)}, expected ${WEIGHTINGS.join(', ')}`);
    }
    this.#options = { maxFeatures, minTexts, weighting };
  }

  /** Name for messages and JSON. */
  get type(): string {
    return 'BagOfWords';
  }

  /** Learns the vocabulary of training texts. @throws DataError for no texts, something else than text, or no words. */
  async fit(texts: Iterable<string> | AsyncIterable<string>): Promise<this> {
    if (!isIterable(texts)) throw new DataError(`BagOfWords.fit: got ${shown(texts)}, expected texts`);
    const totals = new Map<string, { count: number; texts: number }>();
    let n = 0;
    for await (const text of texts) {
      for (const [word, count] of countWords(`BagOfWords.fit: text ${n}`, text)) {
        const total = totals.get(word);
        if (total === undefined) totals.set(word, { count, texts: 1 });
        else {
          total.count += count;
          total.texts++;
        }
      }
      n++;
    }
    if (n === 0) throw new DataError('BagOfWords.fit: got no texts, expected at least one');
    const { maxFeatures, minTexts } = this.#options;
    const words = [...totals].filter(([, t]) => t.texts >= minTexts);
    if (words.length === 0) throw new DataError(`BagOfWords.fit: no word is in ${minTexts} of the ${n} texts or more`);
    words.sort(([a, s], [b, t]) => t.count - s.count || compare(a, b));
    const kept = words.slice(0, maxFeatures).sort(([a], [b]) => compare(a, b));
    this.#use(
      kept.map(([word]) => word),
      Float64Array.from(kept, ([, t]) => Math.log((1 + n) / (1 + t.texts)) + 1),
    );
    return this;
  }

  /** The row of one text, float32 `[vocabulary]`; can be given away: `pipeline.map(words.encode)`. */
  readonly encode = (text: string, index = 0): Float32Array => {
    const row = new Float32Array(this.vocabulary.length);
    if (row.length === 0)
      throw new OptionError('BagOfWords: nothing was learnt yet; call fit with the training texts first');
    const { weighting } = this.#options;
    const values: [column: number, value: number][] = [];
    let squares = 0;
    for (const [word, count] of countWords(`BagOfWords.encode: text ${index}`, text)) {
      const j = this.#index.get(word);
      if (j === undefined) continue;
      const value = weighting === 'binary' ? 1 : weighting === 'count' ? count : count * this.#rarity[j];
      squares += value * value;
      values.push([j, value]);
    }
    const scale = weighting === 'tfidf' ? Math.sqrt(squares) : 1;
    for (const [j, value] of values) row[j] = value / scale;
    return row;
  };

  /** Rows of texts, float32 `[n, vocabulary]`. @throws OptionError before `fit`; DataError for something else than text. */
  transform(texts: readonly string[]): Table {
    checkList('BagOfWords.transform', 'texts', texts, 'texts');
    const width = this.vocabulary.length;
    const data = new Float32Array(texts.length * width);
    texts.forEach((text, i) => {
      data.set(this.encode(text, i), i * width);
    });
    return { data, shape: [texts.length, width] };
  }

  /** `fit(texts)`, then `transform(texts)`. */
  async fitTransform(texts: readonly string[]): Promise<Table> {
    return (await this.fit(texts)).transform(texts);
  }

  /** What was learnt and the options, as plain JSON. */
  toJSON(): TransformerState {
    if (this.vocabulary.length === 0)
      throw new OptionError('BagOfWords.toJSON: nothing was learnt yet; call fit first');
    const options = { ...this.#options };
    return { type: 'BagOfWords', version: 1, options, vocabulary: this.vocabulary, rarity: [...this.#rarity] };
  }

  /** @throws FormatError naming the field that is wrong. */
  static fromJSON(state: TransformerState): BagOfWords {
    const reader = new StateReader('BagOfWords', state);
    const bag = new BagOfWords(reader.options() as BagOfWordsOptions);
    const words = reader.list('vocabulary');
    if (words.length === 0 || !words.every((w) => typeof w === 'string') || new Set(words).size < words.length) {
      reader.fail('vocabulary', 'different words');
    }
    bag.#use(words as string[], reader.numbers('rarity', words.length));
    return bag;
  }

  #use(words: readonly string[], rarity: Float64Array): void {
    this.vocabulary = words;
    this.#index = new Map(words.map((w, j) => [w, j]));
    this.#rarity = rarity;
  }
}

function countWords(where: string, text: string): Map<string, number> {
  if (typeof text !== 'string') throw new DataError(`${where} is ${String(text)}, expected a text`);
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(WORD) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

/** By code points, as Python sorts. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
