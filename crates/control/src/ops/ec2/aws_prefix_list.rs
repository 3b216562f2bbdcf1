//! AWS's own prefix lists: of the two services that gateway endpoints lead to, and of the addresses that CloudFront comes from.
//! They hold no blocks here, for nothing of AWS is reachable (`docs/differences-from-aws.md`).

use topology::id::{PrefixListId, Region};

/// One of AWS's own lists in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AwsPrefixList {
    pub(super) id: PrefixListId,
    pub(super) name: String,
}

/// The ids of a region's lists: S3, DynamoDB, CloudFront (answers of DescribePrefixLists and DescribeManagedPrefixLists that
/// users of these regions published, read 2026-11).
const IDS: [(&str, [u32; 3]); 17] = [
    ("ap-northeast-1", [0x61a5_4008, 0x78a5_4011, 0x58a0_4531]),
    ("ap-northeast-2", [0x78a5_4011, 0x48a5_4021, 0x22a6_434b]),
    // The id of its DynamoDB list is not known to us.
    ("ap-northeast-3", [0xa4a5_40cd, ELSEWHERE[1], 0x31a1_4458]),
    ("ap-south-1", [0x78a5_4011, 0x66a7_420f, 0x9aa2_47f3]),
    ("ap-southeast-1", [0x6fa5_4006, 0x67a5_400e, 0x31a3_4658]),
    ("ap-southeast-2", [0x6ca5_4005, 0x62a5_400b, 0xb8a7_42d1]),
    ("ca-central-1", [0x7da5_4014, 0x4ea5_4027, 0x38a6_4351]),
    ("eu-central-1", [0x6ea5_4007, 0x66a5_400f, 0xa3a1_44ca]),
    ("eu-north-1", [0xc3aa_4faa, 0xadae_4bc4, 0xfab6_5393]),
    ("eu-west-1", [0x6da5_4004, 0x6fa5_4006, 0x4fa0_4526]),
    ("eu-west-2", [0x7ca5_4015, 0xb3a7_42da, 0x93a2_47fa]),
    ("eu-west-3", [0x23ad_484a, 0xabb4_51c2, 0x75b1_541c]),
    ("sa-east-1", [0x6aa5_4003, 0x60a5_4009, 0x5da6_4334]),
    ("us-east-1", [0x63a5_400a, 0x02cd_2c6b, 0x3b92_7c52]),
    ("us-east-2", [0x7ba5_4012, 0x4ca5_4025, 0xb6a1_44df]),
    ("us-west-1", [0x6ba5_4002, 0x6ea5_4007, 0x4ea0_4527]),
    ("us-west-2", [0x68a5_4001, 0x00a5_4069, 0x82a0_45eb]),
];

/// The ids of a region whose own are not known to us.
const ELSEWHERE: [u32; 3] = [0x7100_0001, 0x7100_0002, 0x7100_0003];

/// The lists of a region.
pub(super) fn all(region: &Region) -> [AwsPrefixList; 3] {
    let known = IDS.iter().find(|(name, _)| *name == region.as_str());
    let [s3, dynamodb, cloudfront] = known.map_or(ELSEWHERE, |(_, ids)| *ids);
    let list = |bits, name| AwsPrefixList { id: PrefixListId::Aws(bits), name };
    [
        list(s3, format!("com.amazonaws.{region}.s3")),
        list(dynamodb, format!("com.amazonaws.{region}.dynamodb")),
        list(cloudfront, "com.amazonaws.global.cloudfront.origin-facing".to_owned()),
    ]
}
