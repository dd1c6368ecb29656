import { describe, expect, it } from 'vitest';
import { tlsServerEndPoint } from '../../../src/protocol/tls-server-end-point.ts';

/** Certificates made and hashed with the openssl command: title, DER in base64, hexadecimal hash. */
const certificates = [
  [
    'ECDSA with SHA-256',
    'MIIBbzCCARWgAwIBAgIUNDia/F6BE+eOdRPc9ijV8R5mwd4wCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBdDAgFw0yNjExMjIxNzU0MzhaGA8yMTI2MTAyOTE3NTQzOFowDDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMlXUTaaN/hhmeyxmYcnkx2xH93dtLCseA7v36dHj+kqSuBXGFvU18C+acMZgOfG9eT8DN3c+wRkX4YMYnOkJAKjUzBRMB0GA1UdDgQWBBQRkw4UehaLjkmQjf7SFfZI778OZTAfBgNVHSMEGDAWgBQRkw4UehaLjkmQjf7SFfZI778OZTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIAPjs+BTTHGiJY7Oka5qHYqyqGTRQe4MHvE7biYDADRoAiEA54HQLOpBwNOhBGbCA6yaUGoCULHyrIbUXJIzDmHVXLc=',
    'ae4dc8e7aea8a706a77f5a6006aaa1797333c35223f7b44f1b5498a2f9516da0',
  ],
  [
    'ECDSA with SHA-384',
    'MIIBcDCCARWgAwIBAgIUZ+P4U7VE8NMFXdtSdjzCZgB1NecwCgYIKoZIzj0EAwMwDDEKMAgGA1UEAwwBdDAgFw0yNjExMjIxNzU0MzhaGA8yMTI2MTAyOTE3NTQzOFowDDEKMAgGA1UEAwwBdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMlXUTaaN/hhmeyxmYcnkx2xH93dtLCseA7v36dHj+kqSuBXGFvU18C+acMZgOfG9eT8DN3c+wRkX4YMYnOkJAKjUzBRMB0GA1UdDgQWBBQRkw4UehaLjkmQjf7SFfZI778OZTAfBgNVHSMEGDAWgBQRkw4UehaLjkmQjf7SFfZI778OZTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMDA0kAMEYCIQCbccXH5mVqGSsP/a0U+x94IhDj/f6Y8BVxFdUUK4bPdgIhAKY8ZDVZUpxZeMsLDR6GNLUgdPBPVmMoVAm5lTrjliXE',
    '4431f17fe5754d7eed61592711d82b5c303c19eebcc63e45644c68a87ebcd2e3e59166cf5c1879409203bd6872c51651',
  ],
  [
    'RSA-PSS with SHA-512',
    'MIIC3jCCAdOgAwIBAgIUTmC5LdE0cx7HYQGsgL/TY4mERbgwQQYJKoZIhvcNAQEKMDSgDzANBglghkgBZQMEAgMFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgMFAKIDAgEgMAwxCjAIBgNVBAMMAXQwIBcNMjYxMTIyMTc1NDM4WhgPMjEyNjEwMjkxNzU0MzhaMAwxCjAIBgNVBAMMAXQwgd8wDQYJKoZIhvcNAQEBBQADgc0AMIHJAoHBAJzktPWd6yDK9l5ch7amssTCb1aOy5L+ASNxUjJmSSuHTnCPMUAra2Qi3dNyc+XPP7O7ltc28WlvaksvAcoA/77f9SYPyJGy4+x1WITxdJ4T+cKA5fVY9sZU/ez/2m+lwiKDHdWhRS0k7KKi9LZib4kcHFailG6JjKeZiddx1lTtyC3Bgq7wlMQY6B5nngo5mBFgPwmFki6SuJmyP2kWKLUOEeyvXFa8rxVmUDO59VTlSSKfpKtrmIZ4OE7YfvovvQIDAQABo1MwUTAdBgNVHQ4EFgQUseeZE8AwWFNB3POJl580MQWH98wwHwYDVR0jBBgwFoAUseeZE8AwWFNB3POJl580MQWH98wwDwYDVR0TAQH/BAUwAwEB/zBBBgkqhkiG9w0BAQowNKAPMA0GCWCGSAFlAwQCAwUAoRwwGgYJKoZIhvcNAQEIMA0GCWCGSAFlAwQCAwUAogMCASADgcEAV3vSBRDhoQcBFAEmiZjXmeos4C+2sqcyueX4oaCBYG0ndDNr6xmKvpBFewm4uFOc805Myo0jdoxXj6paMhusMVVN/QW2DbBP8RcqR7SH51e0TvVW1GKHpqcf4iI4x+8q6Bzy8ffb7Yj2y9ocsoB1AVgdc4PlqCcu3zJVH4+9xvvFN3OAkcSidjCa+qMl2VwNAPRaM44v9bFiTuOeh1m3oUii0uTDR/84RFDwdMIRCyA9RNUskhnUbfyutlXRiGkt',
    '49ee5659726b58931856e7abca3af44d37b9e3d5b4e5900fab2c1b6b28d9b06a48d5e42b869ee3f1f1002b34f506640f9327aa4f6350b537aa26e10cc01a770f',
  ],
  [
    'RSA with SHA-1, which is too weak,',
    'MIICdjCCAZ+gAwIBAgIUBHhiIvcnJGr9tA8/+vp33DURjD4wDQYJKoZIhvcNAQEFBQAwDDEKMAgGA1UEAwwBdDAgFw0yNjExMjIxNzU0MzhaGA8yMTI2MTAyOTE3NTQzOFowDDEKMAgGA1UEAwwBdDCB3zANBgkqhkiG9w0BAQEFAAOBzQAwgckCgcEAnOS09Z3rIMr2XlyHtqayxMJvVo7Lkv4BI3FSMmZJK4dOcI8xQCtrZCLd03Jz5c8/s7uW1zbxaW9qSy8BygD/vt/1Jg/IkbLj7HVYhPF0nhP5woDl9Vj2xlT97P/ab6XCIoMd1aFFLSTsoqL0tmJviRwcVqKUbomMp5mJ13HWVO3ILcGCrvCUxBjoHmeeCjmYEWA/CYWSLpK4mbI/aRYotQ4R7K9cVryvFWZQM7n1VOVJIp+kq2uYhng4Tth++i+9AgMBAAGjUzBRMB0GA1UdDgQWBBSx55kTwDBYU0Hc84mXnzQxBYf3zDAfBgNVHSMEGDAWgBSx55kTwDBYU0Hc84mXnzQxBYf3zDAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBBQUAA4HBADkoBymc2ZUN0vqvWJ9uQAuKaefd0t1e2nbvFrPA1+kX6F4pN+0gv4bcTGoO3JGcm9S2dv6x2u/DDvhCQaUDHcm++yViVes3V1Hct+lMmMWjYrzDO/osnKaC00F9jKmdqwPc6oZS5GY+VubZpEBT6zPg7Po3IALCzDFjKGRwsuQjcffLe1XMDM6q7u1tEvuWO2045dE79xidLjcCXwZ/Q1blCKSBuZbjhluoyke47UiqxmC2TWygWoCW5X/RVK+VIA==',
    '3d3720210dc68c1af0fde2db41707c6fbb1d1b8dd87b98773ab4d7aa6e431ce1',
  ],
] as const;
const ed25519 =
  'MIIBLjCB4aADAgECAhRbeDqJGbQhfqfPNyoHK//PUCxrRDAFBgMrZXAwDDEKMAgGA1UEAwwBdDAgFw0yNjExMjIxNzU0MzhaGA8yMTI2MTAyOTE3NTQzOFowDDEKMAgGA1UEAwwBdDAqMAUGAytlcAMhAJ/mydbd2UhUv3C2pCdDBzM0a2qxgtyTopUyJQs85tjJo1MwUTAdBgNVHQ4EFgQUhZQ2FfnBG5+abS0vMgBfvX3fzMowHwYDVR0jBBgwFoAUhZQ2FfnBG5+abS0vMgBfvX3fzMowDwYDVR0TAQH/BAUwAwEB/zAFBgMrZXADQQAUo01MgP+oOtgTR1hl0e4XRIGV9qoiHDo7SzO8j/mkNvTsBKnBl5Pf2X7exm/UTm5y+oMTsi3g+pEJnyb7pCYN';

describe('the end point of a TLS channel', () => {
  it.each(certificates)('of a certificate signed by %s is its hash', (_, certificate, hash) => {
    expect(tlsServerEndPoint(Buffer.from(certificate, 'base64'))?.toString('hex')).toBe(hash);
  });

  it('is not there for a signature without a hash, and for what is no certificate', () => {
    expect(tlsServerEndPoint(Buffer.from(ed25519, 'base64'))).toBeNull();
    const whole = Buffer.from(certificates[0][1], 'base64');
    for (let length = 0; length < whole.length; length++) {
      expect(tlsServerEndPoint(whole.subarray(0, length))).toBeNull();
    }
    expect(tlsServerEndPoint(Buffer.from('3084ffffffff3080', 'hex'))).toBeNull();
  });
});
