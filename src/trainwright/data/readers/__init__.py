"""Reading images: folders, lists of paths and tar shards.

`folders`, `shards` and `lists` find the files and their labels; `index` makes one `ImageIndex` of them, which
knows each image's place, labels and common shape; `decoding` turns a file into pixels when it is wanted.
`svhn` and `cifar10` read those sets' own formats.
"""
