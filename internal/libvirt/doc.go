// Package libvirt knows what libvirt's XML, names, versions and messages mean. It contacts nothing: the modules of the family virt fetch
// the XML with virsh and ask here. What it gives:
//
//   - Parse, Node: a document as a tree, prefixes and unknown elements included.
//   - Compare, Merge, Owned: what of the user's XML is not so on the host, and the XML to define so that it is (fields that the user did not
//     write are neither compared nor removed; fields that an earlier definition of ours had and the user took out are, by Record).
//   - Unknown: elements and attributes that libvirt would drop without a word.
//   - Explain: a class and advice for an error of virsh.
//   - Version and its gates; CheckName, MAC, UUIDs, KiB and Bytes.
package libvirt
