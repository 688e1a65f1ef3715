package cloudinit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/kdomanski/iso9660"
)

// The parts of an image (ECMA-119) that Image sets after the writer.
const (
	sector      = 2048
	descriptor  = 16 * sector // of the volume
	spaceSize   = descriptor + 80
	tableSize   = descriptor + 132
	littleTable = descriptor + 140
	bigTable    = descriptor + 148
	rootExtent  = descriptor + 156 + 2
	systemName  = descriptor + 8
	dates       = descriptor + 813 // creation, modification, expiration, effective: 17 bytes each
	dateLength  = 17
)

// Image gives the seed as an ISO 9660 image with the label, cidata or CIDATA. The same seed gives the same bytes.
//
// The names are plain ISO 9660 ones in lower case (user-data;1), which Linux and the BSDs show without the version: neither Joliet nor Rock
// Ridge is needed, which the tools that make USER_DAT.;1 without them have made a rule of.
func (s Seed) Image(label string) ([]byte, error) {
	w, err := iso9660.NewWriter()
	if err != nil {
		return nil, fmt.Errorf("make the seed's image: %w", err)
	}
	var out bytes.Buffer
	for _, f := range s.files() {
		if err == nil {
			err = w.AddFile(strings.NewReader(f.Text), f.Name)
		}
	}
	if err == nil {
		err = w.WriteTo(&out, label)
	}
	if err = errors.Join(err, w.Cleanup()); err != nil {
		return nil, fmt.Errorf("make the seed's image: %w", err)
	}
	return finish(out.Bytes()), nil
}

// finish adds the path tables that the writer leaves out, and takes away what differs from run to run and from system to system.
func finish(image []byte) []byte {
	for i := range 4 {
		at := image[dates+i*dateLength:][:dateLength]
		copy(at, strings.Repeat("0", dateLength-1)) // "no date"
		at[dateLength-1] = 0
	}
	copy(image[systemName:][:32], fmt.Sprintf("%-32s", "LINUX"))
	sectors := uint32(len(image) / sector)
	root := binary.LittleEndian.Uint32(image[rootExtent:])
	record := func(order binary.AppendByteOrder) []byte { // of the root, which is its own parent
		b := order.AppendUint16(order.AppendUint32([]byte{1, 0}, root), 1)
		return append(b, 0, 0)
	}
	little, big := record(binary.LittleEndian), record(binary.BigEndian)
	both := func(at int, n uint32) {
		binary.LittleEndian.PutUint32(image[at:], n)
		binary.BigEndian.PutUint32(image[at+4:], n)
	}
	both(spaceSize, sectors+2)
	both(tableSize, uint32(len(little)))
	binary.LittleEndian.PutUint32(image[littleTable:], sectors)
	binary.BigEndian.PutUint32(image[bigTable:], sectors+1)
	for _, table := range [][]byte{little, big} {
		image = append(image, table...)
		image = append(image, make([]byte, sector-len(table))...)
	}
	return image
}
