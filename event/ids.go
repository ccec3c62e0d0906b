package event

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// FailureID gives the id of an episode: the first 16 bytes, in lower-case
// hexadecimal, of SHA-256 over its parts. Each part is preceded by its length
// in bytes as 4 bytes, most significant first, so that no two lists of parts
// give the same bytes. The class counts by its name on the wire.
func FailureID(tenant, trajectory string, class Class, rule, subject, openingStepID string) string {
	return hashParts(16, tenant, trajectory, class.String(), rule, subject, openingStepID)
}

// Fingerprint gives what the same trouble has in common wherever it happens: 8
// bytes in hexadecimal, hashed as in FailureID. maskedSubject and
// errorFingerprint are free of what differs from one trajectory to the next.
func Fingerprint(tenant string, class Class, rule, maskedSubject, errorFingerprint string) string {
	return hashParts(8, tenant, class.String(), rule, maskedSubject, errorFingerprint)
}

// TaskRecordID gives the id of a task record: 16 bytes in hexadecimal, hashed
// as in FailureID.
func TaskRecordID(tenant, trajectory, task string) string {
	return hashParts(16, tenant, trajectory, task)
}

func hashParts(size int, parts ...string) string {
	var space [1024]byte
	b := space[:0]
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:size])
}
