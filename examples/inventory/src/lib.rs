//! An inventory service: everything that is storage is generated from
//! `proto/inventory/v1/inventory.proto`; `ReserveStock` is written here.

prism_runtime::include_schema!();

use crate::inventory::v1::inventory_service::{InventoryService, InventoryServiceServer};
use crate::inventory::v1::{Item, ReserveStockRequest, ReserveStockResponse};
use prism_runtime::service::Context;
use prism_runtime::{Error, Reason, Result, Schema};

/// How often a reservation is tried where others change the item at the same time.
const ATTEMPTS: usize = 10;

/// The schema with our own methods: what the proxy serves.
pub fn service() -> Schema {
    schema().service(InventoryServiceServer::new(Inventory))
}

/// The methods that are more than storage.
pub struct Inventory;

impl InventoryService for Inventory {
    async fn reserve_stock(
        &self,
        context: Context,
        request: ReserveStockRequest,
    ) -> Result<ReserveStockResponse> {
        if request.quantity < 1 {
            return Err(Error::invalid_field("quantity", "must be at least 1"));
        }
        let items = context.store::<Item>()?;
        for _ in 0..ATTEMPTS {
            let mut item = items.get(request.sku.as_str()).await?;
            if item.in_stock < request.quantity {
                return Err(Error::new(Reason::Conflict, "there is not enough in stock"));
            }
            item.in_stock -= request.quantity;
            // The item carries the etag that was read: the update fails where another one came
            // between, and nothing is sold twice.
            match items.update(&item, &["in_stock"]).await {
                Ok(item) => return Ok(ReserveStockResponse { in_stock: item.in_stock }),
                Err(error) if error.reason() == Reason::EtagMismatch => continue,
                Err(error) => return Err(error),
            }
        }
        Err(Error::new(Reason::Conflict, "the item is changed by too many at once"))
    }
}
