/** How a customer's id begins, the full names that go with it, and where such people live. */
export type DemoName = {
  readonly idPrefix: string;
  readonly fullName: string;
  readonly country: string;
};

/**
 * Letters in both cases, digits, Hangul and accents: what a map of alphabetic ranges has to place.
 * `kim` and `Kim` fold to the same range, digits sort before `A`, everything beyond ASCII after `Z`.
 */
export const demoNames: readonly [DemoName, ...DemoName[]] = [
  { idPrefix: 'Aisha', fullName: 'Aisha Khan', country: 'PK' },
  { idPrefix: 'anders', fullName: 'Anders Lindqvist', country: 'SE' },
  { idPrefix: 'Baek', fullName: 'Baek Ji-hoon', country: 'KR' },
  { idPrefix: 'BIANCHI', fullName: 'Chiara Bianchi', country: 'IT' },
  { idPrefix: 'Choi', fullName: 'Choi Soo-jin', country: 'KR' },
  { idPrefix: 'cho', fullName: 'Cho Hye-won', country: 'KR' },
  { idPrefix: 'Diaz', fullName: 'Lucía Díaz', country: 'ES' },
  { idPrefix: 'Dupont', fullName: 'Camille Dupont', country: 'FR' },
  { idPrefix: '42nd-street', fullName: '42nd Street Theatre', country: 'US' },
  { idPrefix: '7seas', fullName: '7 Seas Travel', country: 'GR' },
  { idPrefix: 'Eva', fullName: 'Eva Novotná', country: 'CZ' },
  { idPrefix: 'fischer', fullName: 'Jonas Fischer', country: 'DE' },
  { idPrefix: 'Garcia', fullName: 'Mateo García', country: 'ES' },
  { idPrefix: 'Han', fullName: 'Han Seo-yeon', country: 'KR' },
  { idPrefix: 'HONG', fullName: 'Hong Gil-dong', country: 'KR' },
  { idPrefix: 'Ito', fullName: 'Ito Haruka', country: 'JP' },
  { idPrefix: 'Jang', fullName: 'Jang Do-yun', country: 'KR' },
  { idPrefix: 'Kim', fullName: 'Kim Min-su', country: 'KR' },
  { idPrefix: 'kim', fullName: 'Kim Ha-eun', country: 'KR' },
  { idPrefix: 'Kowalski', fullName: 'Piotr Kowalski', country: 'PL' },
  { idPrefix: 'Lee', fullName: 'Lee Ji-woo', country: 'KR' },
  { idPrefix: 'lee', fullName: 'Lee Jun-ho', country: 'KR' },
  { idPrefix: "L'Her", fullName: "Gwen L'Her", country: 'FR' },
  { idPrefix: 'Müller', fullName: 'Anna Müller', country: 'DE' },
  { idPrefix: 'Moon', fullName: 'Moon Chae-won', country: 'KR' },
  { idPrefix: 'nowak', fullName: 'Zofia Nowak', country: 'PL' },
  { idPrefix: "O'Brien", fullName: "Niamh O'Brien", country: 'IE' },
  { idPrefix: 'Park', fullName: 'Park Seo-jun', country: 'KR' },
  { idPrefix: 'PARK', fullName: 'Park Bo-young', country: 'KR' },
  { idPrefix: 'Quinn', fullName: 'Harper Quinn', country: 'US' },
  { idPrefix: 'rossi', fullName: 'Marco Rossi', country: 'IT' },
  { idPrefix: 'Ryu', fullName: 'Ryu Seung-min', country: 'KR' },
  { idPrefix: 'Silva', fullName: 'João Silva', country: 'PT' },
  { idPrefix: 'smith', fullName: 'Olivia Smith', country: 'GB' },
  { idPrefix: 'Tanaka', fullName: 'Tanaka Yui', country: 'JP' },
  { idPrefix: 'Usman', fullName: 'Ibrahim Usman', country: 'NG' },
  { idPrefix: 'Vargas', fullName: 'Sofía Vargas', country: 'MX' },
  { idPrefix: 'vu', fullName: 'Vũ Minh Anh', country: 'VN' },
  { idPrefix: 'Wagner', fullName: 'Emil Wagner', country: 'AT' },
  { idPrefix: 'Xu', fullName: 'Xu Wei', country: 'CN' },
  { idPrefix: 'Yoon', fullName: 'Yoon Se-ri', country: 'KR' },
  { idPrefix: 'yoo', fullName: 'Yoo Jae-suk', country: 'KR' },
  { idPrefix: 'Zoë', fullName: 'Zoë van Dijk', country: 'NL' },
  { idPrefix: 'Élodie', fullName: 'Élodie Moreau', country: 'FR' },
  { idPrefix: 'Ørsted', fullName: 'Freja Ørsted', country: 'DK' },
  { idPrefix: '김민수', fullName: '김민수', country: 'KR' },
  { idPrefix: '이서연', fullName: '이서연', country: 'KR' },
  { idPrefix: '박지훈', fullName: '박지훈', country: 'KR' },
];
