const train = require('./train.cjs');

import('neurite').then((neurite) => console.log(`trained ${train(neurite)}`));
