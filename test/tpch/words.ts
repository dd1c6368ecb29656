// The words that TPC-H's queries look for (specification, clause 4.2.2.13), and some to fill comments.

export const regions = ['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'] as const;

/** Name and number of the region; the position is the nation's key. */
export const nations: readonly (readonly [name: string, region: number])[] = [
  ['ALGERIA', 0],
  ['ARGENTINA', 1],
  ['BRAZIL', 1],
  ['CANADA', 1],
  ['EGYPT', 4],
  ['ETHIOPIA', 0],
  ['FRANCE', 3],
  ['GERMANY', 3],
  ['INDIA', 2],
  ['INDONESIA', 2],
  ['IRAN', 4],
  ['IRAQ', 4],
  ['JAPAN', 2],
  ['JORDAN', 4],
  ['KENYA', 0],
  ['MOROCCO', 0],
  ['MOZAMBIQUE', 0],
  ['PERU', 1],
  ['CHINA', 2],
  ['ROMANIA', 3],
  ['SAUDI ARABIA', 4],
  ['VIETNAM', 2],
  ['RUSSIA', 3],
  ['UNITED KINGDOM', 3],
  ['UNITED STATES', 1],
];

export const colors = [
  ...['almond', 'antique', 'azure', 'beige', 'blue', 'chocolate', 'coral', 'dark', 'forest'],
  ...['ghost', 'green', 'honeydew', 'indian', 'khaki', 'lace', 'lavender', 'linen', 'magenta'],
  ...['navy', 'olive', 'peru', 'plum', 'rose', 'salmon', 'sky', 'tan', 'turquoise', 'wheat'],
] as const;

export const typeSizes = ['STANDARD', 'SMALL', 'MEDIUM', 'LARGE', 'ECONOMY', 'PROMO'] as const;
export const typeCoats = ['ANODIZED', 'BURNISHED', 'PLATED', 'POLISHED', 'BRUSHED'] as const;
export const typeMetals = ['TIN', 'NICKEL', 'BRASS', 'STEEL', 'COPPER'] as const;
export const containerSizes = ['SM', 'MED', 'LG', 'JUMBO', 'WRAP'] as const;
export const containerKinds = ['CASE', 'BOX', 'BAG', 'JAR', 'PKG', 'PACK', 'CAN', 'DRUM'] as const;

export const segments = [
  ...['AUTOMOBILE', 'BUILDING', 'FURNITURE', 'MACHINERY', 'HOUSEHOLD'],
] as const;
export const priorities = ['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'] as const;
export const shipInstructions = [
  ...['DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'],
] as const;
export const shipModes = ['REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'] as const;

export const commentWords = [
  ...['furiously', 'quickly', 'carefully', 'blithely', 'ironic', 'final', 'bold', 'regular'],
  ...['express', 'special', 'pending', 'even', 'silent', 'packages', 'requests', 'accounts'],
  ...['deposits', 'foxes', 'ideas', 'theodolites', 'pinto beans', 'instructions', 'platelets'],
  ...['sleep', 'wake', 'haggle', 'nag', 'cajole', 'boost', 'across', 'above', 'against', 'the'],
] as const;
