package up

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"time"
)

const (
	authorityLifetime   = 10 * 365 * 24 * time.Hour
	certificateLifetime = 365 * 24 * time.Hour // issued anew at every start
)

// authority is the certificate authority of one control plane.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// pair is a certificate with its key, both PEM.
type pair struct {
	certificate, key []byte
}

// openAuthority reads the authority, or creates it at the first start.
func openAuthority(certificatePath, keyPath string) (*authority, error) {
	key, err := openKey(keyPath)
	if err != nil {
		return nil, err
	}
	stored, err := os.ReadFile(certificatePath)
	if err == nil {
		der, err := decodePEM(certificatePath, stored)
		if err != nil {
			return nil, err
		}
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", certificatePath, err)
		}
		return &authority{certificate: certificate, key: key}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}

	template, err := newTemplate("controlplane-ca", authorityLifetime)
	if err != nil {
		return nil, err
	}
	template.IsCA = true
	template.BasicConstraintsValid = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("create the certificate authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("create the certificate authority: %w", err)
	}
	a := &authority{certificate: certificate, key: key}
	return a, replaceFile(certificatePath, a.pem())
}

// pem is the authority's certificate.
func (a *authority) pem() []byte {
	return encodePEM("CERTIFICATE", a.certificate.Raw)
}

// serving issues the API server's certificate.
func (a *authority) serving() (pair, error) {
	template, err := newTemplate("kube-apiserver", certificateLifetime)
	if err != nil {
		return pair{}, err
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	template.DNSNames = []string{"localhost", "kubernetes.default.svc"}
	return a.issue(template)
}

// client issues the certificate of a user in one group.
func (a *authority) client(user, group string) (pair, error) {
	template, err := newTemplate(user, certificateLifetime)
	if err != nil {
		return pair{}, err
	}
	template.Subject.Organization = []string{group}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return a.issue(template)
}

func (a *authority) issue(template *x509.Certificate) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return pair{}, fmt.Errorf("issue the certificate of %s: %w", template.Subject.CommonName, err)
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return pair{}, err
	}
	return pair{certificate: encodePEM("CERTIFICATE", der), key: keyPEM}, nil
}

func newTemplate(commonName string, lifetime time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    now.Add(-time.Hour), // clocks may differ
		NotAfter:     now.Add(lifetime),
	}, nil
}

// openKey reads a private key, or creates it at the first start.
func openKey(path string) (*ecdsa.PrivateKey, error) {
	stored, err := os.ReadFile(path)
	if err == nil {
		der, err := decodePEM(path, stored)
		if err != nil {
			return nil, err
		}
		key, err := x509.ParseECPrivateKey(der)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	content, err := encodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, replaceFile(path, content)
}

// encodeKey writes the one form that Kubernetes also takes for a service
// account key: an EC key that is not wrapped in PKCS #8.
func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return encodePEM("EC PRIVATE KEY", der), nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func decodePEM(path string, content []byte) ([]byte, error) {
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("read %s: no PEM in it", path)
	}
	return block.Bytes, nil
}
