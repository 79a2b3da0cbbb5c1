const neurite = require('neurite');
const train = require('./train.cjs');

console.log(`trained ${train(neurite)}`);
